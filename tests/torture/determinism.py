"""The determinism matrix: what may differ between two machines or moments, and what a run gives all the same."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from hybridrec import Run
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import CONFIG, results, write_config, write_data

MORE: dict[str, tuple[str, dict[str, Any]]] = {
    "word2vec": ("gensim", {"dim": 8, "epochs": 3}),
    "lightfm": ("lightfm", {"dim": 8, "epochs": 3}),
    "bpr": ("implicit", {"factors": 4, "iterations": 3}),
    "wmf": ("implicit", {"factors": 4, "iterations": 2}),
    "item-knn": ("implicit", {}),
    "slim": ("scipy", {}),
    "trending": ("scipy", {}),
    "newest": ("scipy", {}),
    "random": ("scipy", {}),
}
"""Further components with the libraries that they need."""


@dataclass(frozen=True)
class Setting:
    """A way in which two runs may differ: by their environment, the options of the config, or the order of files."""

    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    shuffled: bool = False
    reversed_keys: bool = False


SETTINGS: dict[str, Setting] = {
    "the same again": Setting(),
    "PYTHONHASHSEED=1": Setting({"PYTHONHASHSEED": "1"}),
    "PYTHONHASHSEED=42": Setting({"PYTHONHASHSEED": "42"}),
    "workers: 2": Setting(options=("workers=2",)),
    "workers: 4": Setting(options=("workers=4",)),
    "OMP_NUM_THREADS=2": Setting({"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}),
    "POLARS_MAX_THREADS=2": Setting({"POLARS_MAX_THREADS": "2"}),
    "LC_ALL=POSIX": Setting({"LC_ALL": "POSIX"}),
    "LC_ALL=C.UTF-8": Setting({"LC_ALL": "C.UTF-8"}),
    "TZ=Asia/Kathmandu": Setting({"TZ": "Asia/Kathmandu"}),
    "memory: 200MB": Setting(options=("memory=200MB",)),
    "the keys of the YAML in another order": Setting(reversed_keys=True),
    "rows with times in another order": Setting(shuffled=True),
    "optimised bytecode (-O)": Setting({"PYTHONOPTIMIZE": "1"}),
}
"""The matrix. What a key orders (labels of components, pipelines, generators) is no part of it: that is an order."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Run an experiment of many components in at most so many settings, each with an empty store."""
    outcome = Outcome()
    expected = _digest(folder / "first", Setting())
    for number, (name, setting) in enumerate(list(SETTINGS.items())[:tries]):
        outcome.attempt(name, partial(_same, folder / str(number), setting, expected), allowed=())
    return outcome


def _same(folder: Path, setting: Setting, expected: str) -> None:
    if _digest(folder, setting) != expected:
        raise Loss("another result")


def config() -> dict[str, Any]:
    """Return the config of all components whose libraries are installed."""
    more = {label: options for label, (module, options) in MORE.items() if find_spec(module) is not None}
    generators = [{"from": label, "k": 15} for label in ("ease", "als", *more)]
    blend = {"generators": generators, "scorers": ["knn", "tag-fallback"], "rerank": [{"use": "validated"}]}
    return {
        "components": {**CONFIG["components"], **more},
        "pipelines": {**CONFIG["pipelines"], "wide": {**blend, "fallback": ["pop"]}},
    }


def _digest(folder: Path, setting: Setting) -> str:
    return results(measured(folder, setting, config(), sys.executable, sys.path), notes=False)


def measured(
    folder: Path, setting: Setting, config: Mapping[str, Any], python: str | Path, path: Sequence[str] = ()
) -> Run:
    """Run the experiment in a process of its own with an interpreter and paths of modules; raises Loss if it fails."""
    folder.mkdir(parents=True)
    write_data(folder)
    written = write_config(folder, **config)
    if setting.shuffled:
        head, *rows = (folder / "plays.csv").read_text(encoding="utf-8").splitlines()
        random.Random(1).shuffle(rows)
        (folder / "plays.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    if setting.reversed_keys:
        content = json.loads(written.read_text(encoding="utf-8"))
        inner = {key: _reversed(value) for key, value in content.items() if key in ("data", "split", "compare")}
        written.write_text(json.dumps(dict(reversed((content | inner).items()))), encoding="utf-8")
    words = [f"--set={option}" for option in setting.options]
    base = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    done = subprocess.run(
        [python, "-m", "hybridrec", "run", str(written), "--quiet", "--store", "store", "--runs", "runs", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **base, **setting.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Loss(f"it ends with {done.returncode}: {done.stderr[-200:]}")
    (run,) = (folder / "runs").glob("[!.]*")
    return Run.open(run)


def _reversed(value: Any) -> Any:
    return {key: _reversed(below) for key, below in reversed(value.items())} if isinstance(value, dict) else value


def _draw_from_the_hash(patch: pytest.MonkeyPatch) -> int:
    patch.setitem(CONFIG, "seed", CONFIG["seed"])
    patch.setitem(SETTINGS, "the same again", Setting(options=("seed=4",)))
    return 1


BREAKS = {"a seed decides what is drawn": _draw_from_the_hash}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
