"""The group of commands: its messages, its exit status, and a start that imports nothing heavy."""

import re
import subprocess
import sys

import pytest

from tests.cli.processes import command, environment


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
    exit_status, out, err = call("run", path)
    assert exit_status == status
    assert out == ""
    told = "".join(line for line in err.splitlines(keepends=True) if not line.startswith("fit test: "))
    assert told.startswith("error: ")
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
def test_a_plugin_that_fails_shows_its_own_frames_and_where(call, experiment, monkeypatch, trace):
    monkeypatch.setenv("HYBRIDREC_TRACE", trace)
    status, _, err = call("run", experiment(("use: echo", "use: echo, misbehave: raise")))
    assert status == 3
    assert "error: RuntimeError: the echo is gone\n" in err
    assert re.search(r'File ".*toyland\.py", line \d+, in ', err)
    assert "\n  while fitting components.noise in fold test (full): echo 1, plugin 'toyland'" in err
    assert ("fit.py" in err) == (trace == "1")
    assert ("Traceback" in err) == (trace == "1")


def test_help_tells_the_exit_status_and_where_commands_of_plugins_are_named(call):
    status, out, _ = call("--help")
    assert out.splitlines()[-1].strip() == "Commands of plugins are not listed here: `hybridrec plugins` names them."
    assert status == 0
    assert "130 interrupted" in " ".join(out.split())


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["store", "size"]])
def test_a_reader_who_has_seen_enough_is_told_nothing(arguments, tmp_path):
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(tmp_path)
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_help_imports_nothing_that_takes_longer_than_itself():
    """Pydantic and numpy take several times what `--help` takes without them."""
    code = (
        "import sys; from hybridrec.cli import hybridrec; hybridrec(['--help'], standalone_mode=False); "
        "print({'numpy', 'polars', 'pydantic', 'scipy'} & sys.modules.keys(), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n"


HEAVY = (
    "gensim",
    "implicit",
    "lightfm",
    "lightgbm",
    "matplotlib",
    "optuna",
    "mlflow",
    "sklearn",
    "polars",
    "rapidfuzz",
)


@pytest.mark.parametrize(
    ("arguments", "never"), [(["--help"], (*HEAVY, "numpy", "scipy", "rich")), (["plugins"], HEAVY)]
)
def test_light_commands_import_nothing_heavy(arguments, never):
    program = f"""
import sys, atexit
atexit.register(lambda: print("MODULES", *sorted({{name.partition(".")[0] for name in sys.modules}})))
sys.argv = ["hybridrec", *{arguments!r}]
from hybridrec.cli import main
main()
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    loaded = out.splitlines()[-1].split()
    assert "MODULES" in loaded
    assert not set(loaded) & set(never)


@pytest.fixture
def listed(tmp_path):
    """A function that lists the plugins with one that has these lines, and waits 0.2 s for threads at the end."""

    def run(name, *lines):
        plugin = tmp_path / f"{name}.py"
        hook = ("from hybridrec import hookimpl", "@hookimpl", "def hybridrec_components():", "    return []")
        plugin.write_text("\n".join((*lines, *hook)), encoding="utf-8")
        code = "from hybridrec import cli; cli.LINGER = 0.2; cli.main()"
        return subprocess.run(
            [sys.executable, "-c", code, "plugins", "--plugin", str(plugin)],
            capture_output=True, text=True, timeout=60, check=False, env=environment(tmp_path),
        )  # fmt: skip

    return run


def test_a_thread_that_a_plugin_leaves_does_not_hold_the_end_and_is_named(listed):
    done = listed(
        "leaver",
        "import threading, time",
        "def sleep_on():",
        "    while True:",
        "        time.sleep(0.1)",
        "threading.Thread(target=sleep_on, name='sleeper').start()",
    )
    assert done.returncode == 0
    assert "als" in done.stdout
    assert "warning: a plugin has left threads that do not end" in done.stderr
    assert "sleeper (plugin 'leaver' (without packaging), at leaver.py:4)" in done.stderr


def test_idle_threads_of_pools_do_not_delay_the_end(listed):
    """They would be named after `LINGER` seconds."""
    done = listed(
        "pooler",
        "from concurrent.futures import ThreadPoolExecutor",
        "pool = ThreadPoolExecutor(2)",
        "assert list(pool.map(abs, [-1, -2])) == [1, 2]",
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("code", "status"), [("None", 0), ("3", 3), ("'no'", 1)])
def test_a_command_that_ends_the_process_itself_keeps_its_status(code, status):
    program = f"from hybridrec import cli; import sys; cli._main = lambda: sys.exit({code}); cli.main()"
    held = f"import threading, time; from hybridrec import cli; cli.LINGER = 0.1; {program}"
    held = held.replace("lambda: ", "lambda: threading.Thread(target=time.sleep, args=(1,)).start() or ")
    for each in (program, held):
        done = subprocess.run([sys.executable, "-c", each], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stderr
        assert ("no" in done.stderr.split()) == (code == "'no'")
