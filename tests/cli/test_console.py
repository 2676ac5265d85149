"""The console: bars on a terminal alone, and words for an interruption."""

import re
import signal
import subprocess
import time
from pathlib import Path

import polars as pl
import pytest

import hybridrec
from hybridrec import Run
from hybridrec.cli._console import (
    Bars,
    CheckProgress,
    announcing_interrupts,
    megabytes,
    p_value,
    percent,
    print_table,
    say,
    signed,
    visible,
)
from tests.cli.processes import command, environment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_and_supervisors_lose_nothing(experiment, toyland, tmp_path, number):
    path = experiment(("use: echo", "use: echo, seconds: 2, log: fits.txt"))
    process = subprocess.Popen(
        command("run", path), cwd=tmp_path, env=environment(toyland), stderr=subprocess.PIPE, text=True
    )
    store = tmp_path / ".hybridrec" / "store"
    deadline = time.monotonic() + 30
    while not list(store.glob("??/[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert [line for line in err.splitlines() if line and not line.startswith("fit test: ")] == [
        "waiting for the fits that run, to keep them; Ctrl-C again leaves at once",
        "interrupted; what was fitted so far is in the store",
    ]


def test_bars_are_drawn_on_a_terminal_only(call, experiment, monkeypatch):
    path = experiment()
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, _, err = call("run", path)
    assert status == 0
    assert "fit test" in err
    assert call("run", path, "--quiet")[2] == ""
    monkeypatch.delenv("FORCE_COLOR")
    assert call("run", path)[2] == ""


def test_what_fits_report_stands_beside_the_bar(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    bars = Bars(quiet=False)
    with bars.task("fit test", 2):
        bars.report("deep (full)", 3, 40, {"loss": 0.123456, "norm": None})
    bars.report("deep (full)", 4, 40, {})
    err = capsys.readouterr().err
    assert "fit test: deep (full) 3/40, loss 0.1235" in err
    assert "4/40" not in err


def test_what_fits_report_is_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr("hybridrec.cli._console.time.monotonic", lambda: now[0])
    for quiet in (False, True):
        bars = Bars(quiet)
        with bars.task("fit test", 2):
            for step in range(1, 13):
                now[0] += 1
                bars.report("deep (full)", step, 12, {"loss": 1 / step})
    assert capsys.readouterr().err.splitlines() == ["deep (full) 5/12, loss 0.2", "deep (full) 10/12, loss 0.1"]


def test_the_check_that_runs_is_named_before_it_ends(capsys):
    with CheckProgress("mine", 2) as progress:
        progress.begin("empty_batch")
        assert capsys.readouterr().err == "mine: empty batch ... "
        progress.begin("has_an_opinion")
        assert re.fullmatch(r"0\.0 s\nmine: has an opinion \.\.\. ", capsys.readouterr().err)
    assert capsys.readouterr().err == "0.0 s\n"


def test_checks_advance_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with CheckProgress("mine", 2) as progress:
        progress.begin("empty_batch")
        progress.begin("has_an_opinion")
    err = capsys.readouterr().err
    assert "mine: has an opinion" in err
    assert "2/3" in err  # the third step is the preparation, which nobody began here
    assert " ... " not in err


def test_the_earlier_handler_of_interrupts_is_there_again_afterwards():
    before = signal.getsignal(signal.SIGINT)
    with announcing_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ValueError, match="it broke"), announcing_interrupts():
        raise ValueError("it broke")
    assert signal.getsignal(signal.SIGINT) is before


def test_numbers_have_their_sign_and_unit_and_nothing_stands_for_none():
    assert (signed(0.12345), signed(-0.5)) == ("+0.1235", "-0.5000")
    assert (percent(-0.0123), percent(1.0)) == ("-1.2 %", "+100.0 %")
    assert (megabytes(5_400_000), megabytes(0)) == ("5 MB", "small")
    assert [form(None) for form in (signed, percent, p_value)] == [""] * 3


def test_a_table_aligns_numbers_right_and_cuts_no_text_where_there_is_no_terminal(capsys):
    print_table("Title", ["name", "value"], [["a" * 150, "+1.5"], ["b", "12.25"], ["[bold]", ""]])
    title, header, first, second, third = capsys.readouterr().out.splitlines()
    assert title == "Title"
    assert first.rstrip().endswith("a   +1.5")
    assert len(header.rstrip()) == len(first.rstrip()) == len(second.rstrip())
    assert third.split() == ["[bold]"]


def test_bars_name_the_fits_at_work_and_the_time_that_is_left(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    bars = Bars(quiet=False)
    with bars.task("fit test", 3) as advance:
        for fit in ("als (full)", "[bold]ease (full)"):
            bars.begin(fit)
        bars.end("als (full)", 2.0, cached=False)
        advance(1)
    err = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "fit test: [bold]ease (full)" in err
    assert "ETA" in err


def test_each_fit_is_a_line_with_its_seconds_where_there_is_no_terminal(call, experiment, capsys):
    path = experiment(("workers: 2", "refit: all"))
    status, _, err = call("run", path)
    assert status == 0
    lines = [line for line in err.splitlines() if line.startswith("fit ")]
    report = Run.open(next(path.parent.glob("runs/toy-*"))).report
    assert len(lines) == sum(not fit.cached for fit in report.fits) > 3
    assert all(re.fullmatch(r"fit [\w ,]+: [\w-]+ \((full|out_of_fold)\) \d+\.\d s", line) for line in lines)
    assert any(line.startswith("fit everything: ease (full) ") for line in lines)
    assert not any(line.startswith("fit ") for line in call("run", path)[2].splitlines()), "all is in the store"


HOSTILE = "\x1b]0;owned\x07 \x9b2J \u202egnp \u2066x \u2028y \ufeff \r"


def test_characters_that_steer_a_terminal_are_shown_and_others_stay(capsys):
    assert visible("한국 👩\u200d🎤 é\n\tx") == "한국 👩\u200d🎤 é\n\tx"
    say(HOSTILE)
    print_table(HOSTILE, ["name"], [[HOSTILE + "\n\t"]])
    out = capsys.readouterr().out
    assert re.sub(r"[\x20-\x7e\n]", "", out) == ""
    assert out.count(r"\x1b]0;owned\x07 \x9b2J \u202egnp \u2066x \u2028y \ufeff \x0d") == 3
    assert r"\x0d\n\t" in out


def test_no_command_prints_what_steers_a_terminal(call, experiment, tmp_path):
    names = [f"{HOSTILE.strip()}{n}".replace("\ufeff", "") for n in range(12)]
    plays = pl.DataFrame({"user": [f"u{n % 40}" for n in range(400)], "item": [names[n * 7 % 12] for n in range(400)]})
    config = {
        "name": "hostile",
        "data": {"reader": "table", "interactions": {"user": "user", "item": "item"}},
        "split": {"use": "masked", "scenarios": {"items": 1}},
        "components": {"ease": {}, "popularity": {}},
        "targets": {"items": 5},
        "pipelines": {"one": {"generators": [{"from": "ease"}], "fallback": ["popularity"]}},
        "compare": {"metrics": ["ndcg@5"], "resamples": 100},
        "refit": "all",
    }
    experiment()
    run = hybridrec.run(config, data={"interactions": plays}).folder
    for arguments in (
        ("recommend", run, "--user", "u1", "--explain"),
        ("recommend", run, "--item", names[3]),
        ("recommend", run, "--item", HOSTILE),
        ("similar", run, names[3], "--component", "ease"),
        ("runs", run.parent),
        ("recommend", run, "--user", "u1", "--pipeline", HOSTILE),
    ):
        _, out, err = call(*arguments)
        assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", out + err) is None, arguments


def test_a_call_into_a_plugin_that_lasts_is_named(call, experiment, monkeypatch):
    monkeypatch.setattr("hybridrec.cli.PATIENCE", 0.1)
    path = experiment(("use: echo", "use: echo, seconds: 1"))
    told = [line for line in call("run", path)[2].splitlines() if line.startswith("still at work after 0 min: ")]
    assert any("while fitting components.noise in fold test (full): echo 1" in line for line in told)
    path = experiment(("use: echo", "use: echo, seconds: 1"), ("seed: 3", "seed: 4"))
    assert call("run", path, "--quiet")[2] == ""


LOUD = """
import os
from hybridrec import find

print("loaded")
os.chdir("/")


class Loud(find("component", "popularity")):
    name = "loud"

    def fit(self, data, rng):
        print("fitted")
        os.chdir("/")
        return super().fit(data, rng)
"""


def test_a_plugin_that_prints_and_walks_away_changes_neither_output_nor_places(call, experiment, tmp_path):
    (tmp_path / "loud.py").write_text(LOUD)
    path = experiment(("{use: popularity}", "{use: loud}"))
    status, out, err = call("run", path, "--quiet", "--plugin", tmp_path / "loud.py")
    (report,) = tmp_path.glob("runs/toy-*/report.json")
    assert (status, out) == (0, f"{report.relative_to(tmp_path)}\n")
    assert {"loaded", "fitted"} <= set(err.splitlines())
    assert Path.cwd() == tmp_path
    notes = Run.open(report.parent).report.notes
    assert f"a plugin changed the working folder, which was set back to {tmp_path}" in notes
    assert (tmp_path / ".hybridrec" / "store").is_dir()


def test_a_signal_that_the_caller_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with announcing_interrupts():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
