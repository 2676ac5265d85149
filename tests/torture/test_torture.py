"""The harness itself: samples and the corpus of past failures survive, and broken promises are seen."""

from __future__ import annotations

import importlib
import os
import random
import re
from collections import Counter

import pytest

from hybridrec.errors import DataError
from tests.torture import data_fuzz, long_life, parts, tables
from tests.torture.__main__ import pieces
from tests.torture.branches import measured, module_of, taken
from tests.torture.forks import fork
from tests.torture.mutate import mutated_bytes
from tests.torture.outcome import Hang, Loss, Outcome, limited
from tests.torture.parts import PARTS, apart
from tests.torture.syncs import in_order

QUICK = {"configs": 9, "config-sizes": 1, "data": 60, "damage": 30, "crafted": 2, "queries": 60}
"""Attempts of each part that takes no long; the short form tries more."""


@pytest.mark.parametrize("name", QUICK)
def test_a_sample_survives(name, tmp_path):
    outcome = PARTS[name].torture(QUICK[name], 11, tmp_path)
    assert outcome.losses == []
    assert outcome.tried >= QUICK[name]


BREAKS = [
    (name, label)
    for name, attacked in PARTS.items()
    for label in importlib.import_module(f"tests.torture.{attacked.module}").BREAKS
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kills", "disks", "plugins", "processes", "determinism"])
def test_a_sample_of_what_needs_processes_survives(name):
    assert apart(name, 11, 5) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "promise"), BREAKS)
def test_a_broken_promise_is_seen(name, promise):
    assert apart(name, 11, 0, promise), "the part does not notice"


def test_an_attempt_is_accepted_refused_or_lost():
    outcome = Outcome()
    outcome.attempt("fine", lambda: 1)
    outcome.attempt("refused", lambda: (_ for _ in ()).throw(KeyError("x")), allowed=(KeyError,))
    outcome.attempt("lost", lambda: (_ for _ in ()).throw(Loss("a row")))
    outcome.attempt("long", lambda: (_ for _ in ()).throw(KeyError("x" * 30_000)), allowed=(KeyError,))
    assert (outcome.tried, outcome.survived) == (4, 2)
    assert dict(outcome.counts) == {"accepted": 1, "refused": 2}
    assert outcome.losses[0].startswith("lost: Loss at torture/test_torture.py:")
    assert outcome.losses[1] == "long: a message of 30,002 characters"


def spin():
    """Use the processor for ever, and catch what a program catches."""
    while True:
        try:
            sum(range(1000))
        except Exception:
            continue


def test_a_hang_is_ended_by_the_cpu_time_it_takes():
    with pytest.raises(Hang), limited(0.05):
        spin()


def test_a_signal_before_the_call_of_a_fork_ends_the_fork():
    def interrupted():
        raise KeyboardInterrupt

    _, status = os.waitpid(fork(interrupted), 0)
    assert os.waitstatus_to_exitcode(status) == 130


SYNCED = "7 fsync(3<{folder}/.a>) = 0"
RENAMED = '7 rename("{folder}/.a", "{folder}/a") = 0'
FOLDER_SYNCED = "7 fsync(4<{folder}>) = 0"
BELOW = [
    "7 fsync(3<{folder}/.run/.b>) = 0",
    '7 rename("{folder}/.run/.b", "{folder}/.run/b") = 0',
    "7 fsync(4<{folder}/.run>) = 0",
    '7 rename("{folder}/.run", "{folder}/run") = 0',
]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([SYNCED, RENAMED, FOLDER_SYNCED], ""),
        ([RENAMED, FOLDER_SYNCED], ".a is renamed to a before it is synced"),
        ([RENAMED, SYNCED, RENAMED, FOLDER_SYNCED], ""),  # the first file is gone
        ([SYNCED, RENAMED, RENAMED, FOLDER_SYNCED], ".a is renamed to a before it is synced"),
        ([SYNCED, RENAMED], "is not synced after a was renamed into it"),
        ([*BELOW, FOLDER_SYNCED], ""),
        ([*BELOW[1:], FOLDER_SYNCED], "b is renamed to run before it is synced"),
    ],
)
def test_a_file_is_synced_before_it_is_renamed_and_its_folder_afterwards(tmp_path, lines, says):
    (tmp_path / "a").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "b").touch()
    lines = [line.format(folder=tmp_path) for line in lines]
    if not says:
        renames = sum("rename" in line for line in lines)
        assert in_order(lines, tmp_path, without=tmp_path / "store") == renames
        return
    with pytest.raises(Loss, match=says):
        in_order(lines, tmp_path, without=tmp_path / "store")


def test_a_seed_gives_the_same_mutants():
    first, second = (mutated_bytes(b"a,b\nc,d\n" * 9, random.Random("x")) for _ in range(2))
    assert first == second != mutated_bytes(b"a,b\nc,d\n" * 9, random.Random("y"))


def test_branches_of_readers_are_counted_over_several_processes(tmp_path):
    for name in ("log-null-kinds", "sqlite-names-of-bytes"):
        with measured(tmp_path), pytest.raises(DataError):
            data_fuzz.from_corpus(data_fuzz.CORPUS / name / "case.json")
    modules = taken(tmp_path)
    for reader in ("events", "sql"):
        count, of = modules[module_of(reader)]
        assert 0 < count < of
    assert module_of("qrels") not in modules
    assert not [
        module for module in modules if module.startswith("hybridrec/") and not module.startswith("hybridrec/data/")
    ]


def test_readers_are_shown_with_what_they_accept_and_their_branches():
    counts = {"ended by Polars": 2, "movielens 1m accepted": 3, "movielens 10m refused": 1, "qrels refused": 2}
    branches = {"hybridrec/data/io/npy.py": [3, 4], "plugins/hybridrec_catalogues/movielens.py": [1, 8]}
    *rows, _, ended = tables.readers({"counts": counts, "branches": branches}).splitlines()[2:]
    assert "| `movielens` | 4 | 3 | 75% | 1 of 8 (12%) |" in rows
    assert "| `qrels` | 2 | 0 | 0% |  |" in rows
    assert [row for row in rows if "`" not in row] == ["| hybridrec/data/io/npy.py | | | | 3 of 4 (75%) |"]
    assert ended == "Parquet files on which Polars ended the process: 2."


def test_a_reader_that_accepts_too_few_mutants_is_a_loss(tmp_path, monkeypatch):
    qrels = data_fuzz.Case("qrels", {"qrels": "./none"}, {"qrels.txt": b"1 0 d 1\n"})
    csv = data_fuzz.cases()["csv"]
    monkeypatch.setattr(data_fuzz, "cases", lambda: {"csv": csv, "qrels": qrels})
    monkeypatch.setattr(data_fuzz, "ENOUGH", 5)
    assert data_fuzz.torture(8, 11, tmp_path).losses == []
    assert data_fuzz.torture(10, 11, tmp_path).losses == ["mutants: 0 of 5 of qrels were accepted, too few"]


def test_a_part_that_takes_too_much_memory_loses(monkeypatch):
    nothing = parts.Part("config_growth", "Nothing is promised.", 0, 0)
    monkeypatch.setitem(PARTS, "nothing", nothing)
    monkeypatch.setattr(parts.Part, "torture", lambda *_: Outcome())
    monkeypatch.setattr(parts, "MEMORY", 1 << 62)
    assert parts.carry_out("nothing", 1, 0, None, None)[1].losses == []
    monkeypatch.setattr(parts, "MEMORY", 1)
    _, outcome, _, peak = parts.carry_out("nothing", 1, 0, None, None)
    assert outcome.losses == [f"nothing: a process held {peak >> 20:,} MB of memory"]


class Deadly(str):
    """A name of a reader that ends every process into which it is sent."""

    def __reduce__(self):
        """Return the call that is made there."""
        return os._exit, (1,)


def test_a_file_that_ends_the_process_is_counted_and_the_next_one_is_read(tmp_path, monkeypatch):
    deadly = data_fuzz.Case(Deadly(), {}, {"a.parquet": b"PAR1"})
    cases = {"deadly": deadly, "parquet": data_fuzz.cases()["parquet"]}
    monkeypatch.setattr(data_fuzz, "cases", lambda: cases)
    outcome = data_fuzz.torture(4, 11, tmp_path)
    assert outcome.counts[data_fuzz.ENDED] == 2
    assert outcome.counts["parquet accepted"] + outcome.counts["parquet refused"] == 2
    assert "mutants: 2 of 4 ended the process" in outcome.losses


def test_the_page_shows_the_figures_that_were_measured():
    page = tables.PAGE.read_text(encoding="utf-8")
    assert page == tables.filled(page, tables.figures()), "python -m tests.torture --write writes them"
    assert set(re.findall(r"python -m tests\.torture (\w[\w-]+)", page)) <= set(PARTS)


def test_no_figure_of_the_page_is_a_loss():
    lost = {name: figure for name, figure in tables.figures().items() if figure["survived"] < figure["tried"]}
    assert lost == {}


@pytest.mark.parametrize(("survives", "written"), [(True, ""), (False, "thread panicked at x\n")])
def test_a_panic_is_printed_if_the_attempt_is_lost(capfd, survives, written):
    def panic():
        os.write(2, b"thread panicked at x\n")
        if not survives:
            raise Loss("a row")

    Outcome().attempt("panic", panic)
    assert capfd.readouterr().err == written


def test_what_is_no_panic_is_printed(capfd):
    Outcome().attempt("warning", lambda: os.write(2, b"a warning\n"))
    assert capfd.readouterr().err == "a warning\n"


def test_attempts_are_cut_into_pieces_but_for_a_long_life():
    assert pieces(PARTS["data"], 12_000) == [(0, 5_000), (5_000, 5_000), (10_000, 2_000)]
    assert pieces(PARTS["long-life"], 100_000) == [(0, 100_000)]


def test_a_thread_more_is_named():
    before = long_life.Figures(100, 5, Counter(python=2, pool=1))
    long_life.flat(before, long_life.Figures(200, 5, Counter(python=3)))
    with pytest.raises(Loss, match=r"^3 threads became 5: 2 of pool more$"):
        long_life.flat(before, long_life.Figures(100, 5, Counter(python=2, pool=3)))
    with pytest.raises(Loss, match=r"^5 descriptors became 6$"):
        long_life.flat(before, long_life.Figures(100, 6, before.threads))
