"""The command line: what it prints, where, and how it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybridrec

PLUGINS = Path(__file__).parents[1] / "registry" / "plugins"


def test_run_prints_tables_verdict_and_the_path_of_the_report(call, experiment):
    status, out, err = call("run", experiment(), "--set", "seed=5", "--name", "renamed")
    assert status == 0
    assert err == ""
    assert "all queries" in out
    assert "queries that know items and tags" in out
    assert "ndcg@5" in out
    (opening,) = [line for line in out.splitlines() if line.startswith("In ndcg@5, ")]
    assert "control" in opening
    headers, row = out.partition("Comparisons in ndcg@5, all queries\n")[2].splitlines()[:2]
    assert headers.split()[:3] == ["variant", "against", "verdict"]
    assert row.split()[:2] == ["hybrid", "control"]
    *_, page, path = out.splitlines()
    assert Path(page).name == "report.html"
    assert Path(page).is_file()
    report = Path(path)
    assert report.parent.name.startswith("renamed-")
    assert json.loads(report.read_text())["name"] == "renamed"


def test_report_writes_the_page_and_opens_it(call, experiment, monkeypatch):
    opened = []
    monkeypatch.setattr("click.launch", opened.append)
    folder = hybridrec.run(experiment()).folder
    page = folder / "report.html"
    written = page.read_bytes()
    page.write_text("somebody else's", encoding="utf-8")
    assert call("report", folder, "--no-open") == (0, f"{page}\n", "")
    assert opened == []
    assert page.read_bytes() == written
    assert call("report", folder) == (0, f"{page}\n", "")
    assert opened == [str(page)]


def test_runs_are_listed_with_their_best_blend(call, finished):
    status, out, err = call("runs")
    assert (status, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("toy-")]
    assert line.split()[0] == finished.name
    assert call("runs", "nowhere") == (2, "", "error: nowhere holds no finished runs\n")


def test_quiet_prints_the_path_alone(call, experiment):
    status, out, err = call("run", experiment(), "--quiet", "--store", "elsewhere", "--runs", "there")
    assert (status, err) == (0, "")
    assert out.count("\n") == 1
    assert Path(out.strip()).is_file()
    assert out.startswith("there/")
    assert Path("elsewhere").is_dir()
    assert not Path(".hybridrec").exists()


def test_validation_says_what_it_measured(call, experiment):
    status, out, _ = call("run", experiment(), "--validation")
    assert status == 0
    assert "note: measured on validation queries" in out


def test_check_prints_the_plan_and_fits_nothing(call, experiment):
    status, out, err = call("check", experiment(("use: echo", "use: echo, bytes: 5000000")))
    assert (status, err) == (0, "")
    assert "toy.yaml is valid. Data: 60 users, 40 items, 12 tags" in out
    assert "noise" in out
    assert "5 MB" in out
    assert not Path(".hybridrec").exists()
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("replacement", "status", "message"),
    [
        (("seed: 3", "sede: 3"), 2, "toy.yaml:2: sede: unknown key: did you mean 'seed'?"),
        (("use: echo", "use: ehco"), 2, "toy.yaml:8: components.noise.use: unknown component 'ehco'"),
        (("use: echo", "use: homeless"), 2, "needs the library 'no_such_library'"),
        (
            ("use: echo", "use: echo, misbehave: object"),
            3,
            "while fitting components.noise in fold test (full): echo 1",
        ),
        (
            ("use: echo", "use: echo, misbehave: forget"),
            3,
            "error: fit returned None; it must return self\n  while fitting",
        ),
        (("use: echo", "use: echo, misbehave: infinite"), 3, "in pipeline 'hybrid', generator 'noise'"),
        (("use: echo", "use: echo, bytes: 9000000000000"), 2, "would need about 9000.0 GB"),
        (("{reader: toy}", "{reader: toy, items: 1}"), 2, "split masked: none of the 60 users has 2 distinct items"),
    ],
)
def test_a_mistake_is_one_message_and_the_documented_status(call, experiment, replacement, status, message):
    path = experiment(replacement)
    found, out, err = call("run", path)
    assert found == status
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.yaml"], "error: none.yaml: no such file"),
        (["run"], "Missing argument 'CONFIG'"),
        (["rnu"], "error: no command is called 'rnu': did you mean 'run'?"),
        (["run", "toy.yaml", "--set", "seed"], "error: --set seed: expected key.path=value"),
        (
            ["check", "toy.yaml", "--set", "data={reader: feature-lines, interactions: }"],
            "interactions: the path is empty",
        ),
        (["compare", "runs"], "compare needs two runs or more"),
        (["compare", "a", "b"], "error: a is not a run"),
        (["recommend", "nowhere", "--item", "x"], "error: nowhere is not a run"),
        (["report", "nowhere"], "error: nowhere is not a run"),
        (["similar", "nowhere", "x", "--component", "als"], "error: nowhere is not a run"),
        (["show", "alz"], "error: nothing is called 'alz': did you mean 'als'"),
        (["store", "gc", "--keep", "lots"], "error: --keep: 'lots' is not a size"),
        (["recommend", "r", "-n", "0"], "Invalid value for '-n'"),
    ],
)
def test_a_wrong_command_ends_with_2(call, experiment, arguments, message):
    experiment()
    status, out, err = call(*arguments)
    assert status == 2
    assert message in err
    assert out == ""


def test_an_unreadable_run_ends_with_4(call, finished):
    (finished / "report.json").write_text("{}")
    status, _, err = call("report", finished, "--no-open")
    assert status == 4
    assert "report.json: damaged" in err


@pytest.mark.parametrize("trace", ["0", "1"])
def test_a_plugin_that_fails_shows_its_own_frames_and_where(experiment, toyland, tmp_path, trace):
    path = experiment(("use: echo", "use: echo, misbehave: raise"))
    found = subprocess.run(
        _command("run", path),
        cwd=tmp_path,
        env=_environment(toyland) | {"HYBRIDREC_TRACE": trace},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 3
    assert "error: RuntimeError: the echo is gone\n" in found.stderr
    assert re.search(r'File ".*toyland\.py", line \d+, in ', found.stderr)
    assert "\n  while fitting components.noise in fold test (full): echo 1, plugin 'toyland'" in found.stderr
    assert ("fit.py" in found.stderr) == (trace == "1")
    assert ("Traceback" in found.stderr) == (trace == "1")


def test_compare_two_runs(call, experiment):
    first = hybridrec.run(experiment()).folder
    second = hybridrec.run(experiment(("pop: 0.2", "pop: 0.9"))).folder
    status, out, _ = call("compare", first, second, "--metric", "ndcg@5")
    assert status == 0
    assert f"{first}:hybrid" in out
    assert f"{second}:hybrid" in out
    status, out, _ = call("compare", first, second, "--control", "control")
    assert status == 0
    assert f"{second}:control" in out
    status, _, err = call("compare", first, second, "--metric", "ndcg@9")
    assert status == 2
    assert "'ndcg@9': did you mean 'ndcg@5'?" in err
    status, _, err = call("compare", first, second, "--control", "contrl")
    assert status == 2
    assert "did you mean 'control'" in err


def test_compare_refuses_runs_that_asked_something_else(call, experiment):
    first = hybridrec.run(experiment()).folder
    second = hybridrec.run(experiment(("seed: 3", "seed: 4"))).folder
    status, _, err = call("compare", first, second)
    assert status == 2
    assert "it was not asked the same queries" in err


def test_compare_takes_the_runs_that_match_the_first_and_says_why_not_the_others(call, experiment):
    first, other, match = (
        hybridrec.run(experiment(change)).folder
        for change in (("pop: 0.2", "pop: 0.2"), ("seed: 3", "seed: 4"), ("pop: 0.2", "pop: 0.9"))
    )
    damaged = Path("runs/damaged")
    damaged.mkdir()
    status, out, _ = call("compare", first, other, damaged, match)
    assert status == 0
    assert f"{match}:hybrid" in out
    assert f"{other}:hybrid" not in out
    assert f"note: {other} cannot be compared with {first}: it was not asked the same queries" in out
    assert "note: runs/damaged is not a run: it has no manifest.json" in out


def test_a_run_is_found_by_its_name_without_the_time(call, finished):
    status, _, err = call("recommend", finished.parent / "toy", "--item", "i1")
    assert status == 2
    assert f"is not a run: it has no manifest.json; did you mean {finished}?" in err


def test_compare_knows_codes_from_ids(call, experiment):
    """The same queries in codes are other queries where the items have other names."""
    import polars as pl

    from hybridrec.runs.manifest import replace_file

    first, second = (hybridrec.run(experiment()).folder for _ in range(2))
    names = pl.read_parquet(second / "names.parquet")
    replace_file(second, "names.parquet", names.with_columns(pl.col("id") + "!").write_parquet)
    status, _, err = call("compare", first, second)
    assert status == 2
    assert "the items it recommends from are not" in err


def test_a_clash_is_told_only_where_it_is_asked_for_and_ends_in_favour_of_hybridrec(call, experiment, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "registry" / "plugins" / "clash"))
    status, _, err = call("check", experiment())
    assert status == 0
    (note,) = err.splitlines()
    assert note.startswith("note: the component 'ease' is provided twice")
    assert "that of plugin 'linear' (hybridrec" in note
    assert "say clash/ease for the other" in note
    replaced = ("  ease: {l2: 5}\n", "  als: {factors: 4}\n"), ("from: ease", "from: als"), ("{ease: 1", "{als: 1")
    assert call("check", experiment(*replaced))[2] == ""


def test_check_says_from_how_many_queries_is_learned(call, experiment):
    learned = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: validated}]")
    status, out, _ = call("check", experiment(learned))
    assert status == 0
    assert re.search(r"^Re-rankers learn from [1-9]\d* validation queries", out, re.M)
    assert "Re-rankers learn" not in call("check", experiment())[1]


def test_store_tells_its_size_and_is_cleared(call, experiment):
    status, out, _ = call("store", "size")
    assert status == 0
    assert "all" in out
    hybridrec.run(experiment())
    status, out, _ = call("store", "size")
    assert "ease" in out
    assert "results of" in out
    status, out, _ = call("store", "gc", "--keep", "1GB")
    assert out == "removed 0 artifacts, 0.0 MB\n"
    status, out, _ = call("store", "gc", "--older-than", "1")
    assert out == "removed 0 artifacts, 0.0 MB\n"
    status, out, err = call("store", "gc")
    assert status == 2
    assert "choose the artifacts to remove" in err
    status, out, _ = call("store", "gc", "--all")
    assert status == 0
    assert not out.startswith("removed 0")
    assert not list(Path(".hybridrec/store").glob("??/*"))


def test_folders_in_the_place_of_artifacts_stop_no_command(call, experiment):
    config = experiment()
    hybridrec.run(config)
    artifacts = list(Path(".hybridrec/store").glob("??/*"))
    for path in artifacts:
        path.unlink()
        (path / "below").mkdir(parents=True)
    assert call("store", "size")[0] == 0
    assert call("store", "gc", "--keep", "0GB") == (0, "removed 0 artifacts, 0.0 MB\n", "")
    assert call("run", config)[0] == 0
    assert all(path.is_file() for path in artifacts)


def test_help_tells_the_exit_status(call):
    status, out, _ = call("--help")
    assert status == 0
    assert "130 interrupted" in " ".join(out.split())


def test_ctrl_c_says_that_nothing_is_lost(experiment, toyland, tmp_path):
    path = experiment(("use: echo", "use: echo, seconds: 2, log: fits.txt"))
    process = subprocess.Popen(
        _command("run", path), cwd=tmp_path, env=_environment(toyland), stderr=subprocess.PIPE, text=True
    )
    store = tmp_path / ".hybridrec" / "store"
    deadline = time.monotonic() + 30
    while not list(store.glob("??/[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert [line for line in err.splitlines() if line] == [
        "waiting for the fits that run, to keep them; Ctrl-C again leaves at once",
        "interrupted; what was fitted so far is in the store",
    ]


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["store", "size"]])
def test_a_reader_who_has_seen_enough_is_told_nothing(arguments, tmp_path):
    with subprocess.Popen(
        _command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=_environment(tmp_path)
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_bars_are_drawn_on_a_terminal_only(call, experiment, monkeypatch):
    path = experiment()
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, _, err = call("run", path)
    assert status == 0
    assert "fit test" in err
    assert call("run", path, "--quiet")[2] == ""
    monkeypatch.delenv("FORCE_COLOR")
    assert call("run", path)[2] == ""


def _command(*arguments):
    return [sys.executable, "-m", "hybridrec", *map(str, arguments)]


def _environment(toyland):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(toyland), *filter(None, sys.path)])}


@pytest.mark.parametrize("command", ["run", "check"])
def test_what_a_blocked_plugin_provides_is_missed(call, experiment, command):
    status, _, err = call(command, experiment(), "--block", "toyland")
    assert status == 2
    assert "unknown reader 'toy'" in err
    assert "It may belong to a blocked plugin: plugin 'toyland' (toyland 1.5, module toyland)" in err


def test_a_config_that_comes_with_a_plugin(call, monkeypatch, tmp_path):
    package = tmp_path / "shipping"
    info = tmp_path / "shipping-1.dist-info"
    for folder in (package, info):
        folder.mkdir()
    (package / "__init__.py").write_text(
        "from hybridrec import hookimpl\n\n\n@hookimpl\ndef hybridrec_fitted(): pass\n"
    )
    (package / "tiny.yaml").write_text(
        "name: tiny\ndata: {reader: setlists, min_items: 25}\nsplit: {use: random}\n"
        "components: {popularity: {}}\npipelines: {control: {generators: [{from: popularity, k: 20}]}}\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shipping\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hybridrec]\nshipping = shipping\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    status, out, err = call("check", "plugin:shipping/tiny.yaml")
    assert (status, err) == (0, "")
    assert "popularity" in out
    for wrong, message in (
        ("plugin:shipping/tinny.yaml", "did you mean 'tiny.yaml'"),
        ("plugin:shipping/../conftest.py", "ships no file"),
        ("plugin:shiping/tiny.yaml", "did you mean 'shipping'"),
        ("plugin:shipping", "available are tiny.yaml"),
    ):
        status, _, err = call("check", wrong)
        assert status == 2
        assert message in err


def test_help_imports_nothing_that_takes_longer_than_itself():
    """Pydantic and numpy take several times what `--help` takes without them."""
    code = (
        "import sys; from hybridrec.cli import hybridrec; hybridrec(['--help'], standalone_mode=False); "
        "print({'numpy', 'polars', 'pydantic', 'scipy'} & sys.modules.keys(), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"
