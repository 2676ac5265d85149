"""The console: bars on a terminal alone, and words for an interruption."""

import re
import signal
import subprocess
import time

import pytest

from hybridrec import Run
from hybridrec.cli._console import (
    Bars,
    CheckProgress,
    announcing_interrupts,
    megabytes,
    p_value,
    percent,
    print_table,
    signed,
)
from tests.cli.processes import command, environment


def test_ctrl_c_says_that_nothing_is_lost(experiment, toyland, tmp_path):
    path = experiment(("use: echo", "use: echo, seconds: 2, log: fits.txt"))
    process = subprocess.Popen(
        command("run", path), cwd=tmp_path, env=environment(toyland), stderr=subprocess.PIPE, text=True
    )
    store = tmp_path / ".hybridrec" / "store"
    deadline = time.monotonic() + 30
    while not list(store.glob("??/[!.]*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert [line for line in err.splitlines() if line] == [
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
