"""Plugins that misbehave at import, in fits and scores, and in global state: they are named, and harm nobody."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from textwrap import indent

import pytest

import hybridrec
from hybridrec import Run, cli, tracing
from hybridrec.data import dataset, ragged
from hybridrec.engine import fit
from tests.torture.disks import told_by as told
from tests.torture.forks import import_everything, in_fork, start
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import CONFIG, answers_of, results, write_config, write_data

SOURCE = '''
import os, signal, sys, threading, time, warnings, locale
import numpy as np
from hybridrec import DenseModel
{start}

def sleep_on():
    while True:
        time.sleep(0.2)

class Bad(DenseModel):
    """Misbehaves."""

    name = "bad"

    def fit(self, data, rng):
        self.n = np.full(1, 0.5, np.float32)
        self.size = len(data.items)
{fit}
        return self

    def scores(self, queries, target):
        answer = np.tile(np.linspace(0, 1, self.size, dtype=np.float32), (len(queries), 1))
{scores}
        return answer

    def state(self):
{state}
        return {{"n": self.n, "size": np.array(self.size)}}

    def restore(self, state):
{restore}
        self.n, self.size = state["n"], int(state["size"])
        return self
'''


@dataclass(frozen=True)
class Misdeed:
    """Code at a place of the plugin, and the exit statuses of a run with it.

    blamed: True if the message has to name the plugin
    options: options of the config that differ
    """

    place: str
    code: str
    ends: tuple[int, ...] = (3,)
    blamed: bool = True
    options: tuple[str, ...] = ()


APART = ("executor=processes", "workers=1")
MISDEEDS: dict[str, Misdeed] = {
    "import raises": Misdeed("start", "raise RuntimeError('bad')", (2, 3)),
    "import needs a library": Misdeed("start", "import no_such_library", (2, 3)),
    "import exits": Misdeed("start", "sys.exit(0)", (2, 3)),
    "import recurses": Misdeed("start", "def f(): f()\nf()", (2, 3)),
    "import prints": Misdeed("start", "print('bad' * 999)", (0,), False),
    "fit raises": Misdeed("fit", "raise RuntimeError('bad')"),
    "fit returns nothing": Misdeed("fit", "return None"),
    "fit returns another": Misdeed("fit", "return 7"),
    "fit is out of memory": Misdeed("fit", "raise MemoryError"),
    "fit recurses": Misdeed("fit", "def f(): f()\nf()"),
    "fit exits": Misdeed("fit", "sys.exit(0)"),
    "fit interrupts": Misdeed("fit", "raise KeyboardInterrupt", (130,), False),
    "fit writes to items": Misdeed("fit", "data.interactions.ids[:] = 0"),
    "fit writes to weights": Misdeed("fit", "data.interactions.weights[:] = 9"),
    "fit writes to a matrix": Misdeed("fit", "data.user_matrix('tags').data[:] = 9"),
    "fit changes a dict": Misdeed("fit", "data.entities.clear()"),
    "fit sorts a matrix": Misdeed("fit", "data.interactions.matrix().sort_indices()", (0,), False),
    "fit seeds numpy": Misdeed("fit", "np.random.seed(1)", (0,), False),
    "fit makes warnings errors": Misdeed("fit", "warnings.simplefilter('error')", (0, 3), False),
    "fit makes floats raise": Misdeed("fit", "np.seterr(all='raise')", (0, 3), False),
    "fit changes the folder": Misdeed("fit", "os.chdir('/')", (0,), False),
    "fit changes the environment": Misdeed("fit", "os.environ['OMP_NUM_THREADS'] = '7'", (0,), False),
    "fit changes the locale": Misdeed("fit", "locale.setlocale(locale.LC_ALL, 'C')", (0,), False),
    "fit closes standard output": Misdeed("fit", "sys.stdout.close()", (0, 3), False),
    "fit prints": Misdeed("fit", "print('bad' * 999)", (0,), False),
    "fit leaves threads": Misdeed(
        "fit", "[threading.Thread(target=time.sleep, args=(1,), daemon=True).start() for _ in range(9)]", (0,), False
    ),
    "fit replaces the hook of errors": Misdeed("fit", "sys.excepthook = None", (0,), False),
    "fit sets a low limit of recursion": Misdeed("fit", "sys.setrecursionlimit(250)", (0, 3), False),
    "fit never returns": Misdeed("fit", "while True: time.sleep(0.2)", options=("fit_timeout=2",)),
    "fit never returns, in a process": Misdeed("fit", "while True: time.sleep(0.2)", options=("fit_timeout=6", *APART)),
    "fit ends its process": Misdeed("fit", "os._exit(0)", options=APART),
    "fit crashes its process": Misdeed("fit", "os.abort()", options=APART),
    "scores end their process": Misdeed("scores", "os._exit(0)", options=APART),
    "fit leaves a thread for ever": Misdeed("fit", "threading.Thread(target=sleep_on).start()", (0,)),
    "scores raise": Misdeed("scores", "raise RuntimeError('bad')"),
    "scores exit": Misdeed("scores", "sys.exit(0)"),
    "scores of a wrong shape": Misdeed("scores", "return answer[:, :-1]"),
    "scores of too few rows": Misdeed("scores", "return answer[:-1]"),
    "scores of integers": Misdeed("scores", "return answer.astype(np.int32)"),
    "scores of doubles": Misdeed("scores", "return answer.astype(np.float64)", (0, 3), False),
    "scores of objects": Misdeed("scores", "return answer.astype(object)"),
    "scores are a list": Misdeed("scores", "return answer.tolist()"),
    "scores are nothing": Misdeed("scores", "return None"),
    "scores are infinite": Misdeed("scores", "answer[:] = np.inf"),
    "scores are NaN": Misdeed("scores", "answer[:] = np.nan", (0, 3), False),
    "scores write to queries": Misdeed("scores", "queries.history.ids[:] = 0"),
    "scores write to users": Misdeed("scores", "queries.users[:] = 0"),
    "state raises": Misdeed("state", "raise RuntimeError('bad')"),
    "state is nothing": Misdeed("state", "return None"),
    "state of objects": Misdeed("state", "return {'n': np.array([{}], object)}"),
    "state of a list": Misdeed("state", "return {'n': [1]}"),
    "state with a name of a path": Misdeed("state", "return {'../n': self.n}", (0, 3), False),
    "restore raises": Misdeed("restore", "raise RuntimeError('bad')", (0, 3), False),
    "restore returns nothing": Misdeed("restore", "return None", (0, 3), False),
}
"""Everything that a plugin does and a process can survive."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Run an experiment with each misbehaving plugin, in at most so many cases; there is nothing to draw."""
    import_everything()
    outcome = Outcome()
    work = folder / "work"
    expected = in_fork(_prepared, work)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "LINGER", 1.0)
        for name, misdeed in list(MISDEEDS.items())[:tries]:
            outcome.attempt(name, partial(_survived, work, misdeed, expected), allowed=())
    return outcome


def _prepared(work: Path) -> dict[str, str]:
    """Write data and configs, and return the digests of runs without the plugin."""
    work.mkdir()
    write_data(work)
    write_config(work)
    run = hybridrec.run(work / "toy.yaml", store=work / "store-of-before", runs=work / "before")
    expected = {"run": results(run), "control": _control(run)}
    shutil.rmtree(work / "before")
    components = {"bad": {}, **CONFIG["components"]}
    mixed = {**CONFIG["pipelines"], "mixed": {"generators": [{"from": "bad", "k": 20}], "fallback": ["pop"]}}
    write_config(work).rename(work / "sound.yaml")
    write_config(work, components=components, pipelines=mixed)
    return expected


def _control(run: Run) -> str:
    """Return the values of a pipeline that does not use the plugin."""
    import polars as pl

    values = run.per_query().filter(pl.col("pipeline") == "control").select("query", "ndcg@5")
    return str(values.to_dict(as_series=False))


def _survived(work: Path, misdeed: Misdeed, expected: dict[str, str]) -> None:
    """Run with the plugin, then without it in the same store; raises Loss unless all is as it should be."""
    for name in ("store", "runs"):
        shutil.rmtree(work / name, ignore_errors=True)
    places = {"start": "", "fit": "pass", "scores": "pass", "state": "pass", "restore": "pass"}
    places[misdeed.place] = misdeed.code
    plugin = work / "bad_plugin.py"
    source = {place: code if place == "start" else indent(code, " " * 8) for place, code in places.items()}
    plugin.write_text(SOURCE.format(**source), encoding="utf-8")
    code, message, control = _with_plugin(work, plugin, misdeed.options)
    if code not in misdeed.ends:
        raise Loss(f"it ends with {code}: {message}")
    if "Traceback (most recent call last)" in message and code != 0:
        raise Loss(f"a traceback: {message}")
    if misdeed.blamed and "bad" not in message:
        raise Loss(f"the plugin is not named: {message}")
    if control is not None and control != expected["control"]:
        raise Loss("the results of a pipeline that does not use it changed")
    if in_fork(_without_plugin, work) != expected["run"]:
        raise Loss("what it left in the store changes a run without it")


def _with_plugin(work: Path, plugin: Path, options: tuple[str, ...]) -> tuple[int, str, str | None]:
    """Run with the plugin in a fork; return the exit status, what was printed, and the values of the control."""
    places = ["--store", str(work / "store"), "--runs", str(work / "runs"), "--quiet", "--plugin", str(plugin)]
    words = ["run", str(work / "toy.yaml"), *places, *(f"--set={option}" for option in options)]
    _, status = os.waitpid(start(words, work.parent / "log"), 0)
    code = os.waitstatus_to_exitcode(status)
    return code, told(work), in_fork(_left, work, code)


def _left(work: Path, code: int) -> str | None:
    """Return the values of the control in the run that was written, if one was; raises Loss if there should be one."""
    runs = [Run.open(run) for run in (work / "runs").glob("[!.]*")]
    if not code and len(runs) != 1:
        raise Loss(f"{len(runs)} runs were written")
    return _control(runs[0]) if runs else None


def _without_plugin(work: Path) -> str:
    run = hybridrec.run(work / "sound.yaml", store=work / "store", runs=work / "runs-after")
    digest = results(run)
    answers_of(run.folder)
    shutil.rmtree(work / "runs-after")
    return digest


def _let_exits_through(patch: pytest.MonkeyPatch) -> int:
    from contextlib import nullcontext

    patch.setattr(tracing, "traced", lambda action: nullcontext())
    patch.setattr(tracing, "PluginError", SystemExit)
    return 11


def _let_fits_run_on(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(fit, "call_within", lambda seconds, call: call())
    patch.setitem(MISDEEDS, "fit never returns", Misdeed("fit", "time.sleep(5)", options=("fit_timeout=2",)))
    return list(MISDEEDS).index("fit never returns") + 1


def _hold_the_end(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(cli, "_leave_threads", lambda status, before: None)
    return list(MISDEEDS).index("fit leaves a thread for ever") + 1


def _let_inputs_be_written(patch: pytest.MonkeyPatch) -> int:
    for module in (dataset, ragged):
        patch.setattr(module, "freeze", lambda _: None)
    return 13


BREAKS = {
    "an exit of a plugin is its error": _let_exits_through,
    "a fit that does not return in time is ended": _let_fits_run_on,
    "threads that plugins leave are named": _hold_the_end,
    "what plugins are handed is read-only": _let_inputs_be_written,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
