"""Files that somebody made by hand, with sound checksums: refused or read, and nothing is written elsewhere."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from hybridrec import Run, load
from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import HybridrecError
from hybridrec.inference import array_file
from hybridrec.reporting import page
from hybridrec.runs import run as runs
from hybridrec.runs.compare import compare_runs
from hybridrec.runs.export_trec import TrecExporter
from hybridrec.runs.exporter import export
from hybridrec.runs.leaderboard import leaderboard
from hybridrec.runs.manifest import write_manifest
from tests.torture.mutate import mutate_tree
from tests.torture.outcome import Outcome
from tests.torture.subject import Subject, answers

PRECIOUS = "precious"
"""Name of the file to which a link in a run leads."""
PARQUET = ("queries", "names", "per_query", "slates/control.items", "slates/hybrid.items")


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Change what files of a run say, make their checksums anew, and use the run as a stranger's."""
    outcome = Outcome()
    subject = Subject.made(folder / "subject")
    report = json.loads((subject.run / "report.json").read_text(encoding="utf-8"))
    makers: dict[str, Callable[[Path, random.Random], None]] = {
        "bundle": _bundle,
        "report": partial(_json, "report.json", report),
        "lock": partial(_json, "lock.json", report),
        "config": _config,
        "frame": _frame,
        "link": partial(_link, folder / PRECIOUS),
    }
    stays = {path.name for path in folder.iterdir()} | {"sent", "out", PRECIOUS}
    for number in range(tries):
        name = list(makers)[number % len(makers)]
        rng = random.Random(f"crafted {seed} {number}")
        sent = folder / "sent" / "toy"
        shutil.rmtree(folder / "sent", ignore_errors=True)
        shutil.copytree(subject.run, sent)
        makers[name](sent, rng)
        write_manifest(sent)
        before = (folder / PRECIOUS).read_bytes() if name == "link" else b""
        outcome.attempt(f"crafted {seed} {number} ({name})", partial(used, sent, subject.run, folder / "out"))
        outcome.counts[name] += 1
        if name == "link" and (folder / PRECIOUS).read_bytes() != before:
            outcome.lose(f"crafted {seed} {number} ({name})", "a link was followed, and the file elsewhere changed")
        if escaped := {path.name for path in folder.iterdir()} - stays:
            outcome.lose(f"crafted {seed} {number} ({name})", f"{sorted(escaped)[:3]} was written elsewhere")
            for path in escaped:
                shutil.rmtree(folder / path, ignore_errors=True)
    return outcome


def used(sent: Path, other: Path, out: Path) -> None:
    """Use a run in every way; raises the first error of ours only after all were tried, so that each is tried."""
    shutil.rmtree(out, ignore_errors=True)
    ways: list[Callable[[], object]] = [
        lambda: page.write(Run.open(sent)),
        lambda: compare_runs([other, sent]),
        lambda: compare_runs([sent, other]),
        lambda: leaderboard(sent.parent),
        lambda: export(TrecExporter(), Run.open(sent), out),
        lambda: Run.open(sent).held_out(Run.open(sent).queries()["unit"][0]),
        lambda: Run.open(sent).lock,
        lambda: answers(load(sent)),
    ]
    refusals = []
    for way in ways:
        try:
            way()
        except HybridrecError as error:
            refusals.append(error)
        except Exception as error:
            if not getattr(error, "__notes__", []):  # whoever is named there is blamed in one sentence
                raise
            refusals.append(HybridrecError("of a plugin"))
    if refusals:
        raise refusals[0]


def _bundle(run: Path, rng: random.Random) -> None:
    """Change the description or the arrays of the bundle."""
    path = run / "bundle.hybridrec"
    about, state = array_file.manifest_of(path)["about"], dict(array_file.read_artifact(path))
    if rng.random() < 0.6:
        mutate_tree(about, [about], rng)
    else:
        name = rng.choice(sorted(state))
        state[name] = odd_array(state[name], rng)
    if rng.random() < 0.05:
        del state[rng.choice(sorted(state))]
    path.unlink()
    try:
        array_file.write_artifact(path, "bundle", state, about)
    except (TypeError, ValueError):  # JSON has no such value
        array_file.write_artifact(path, "bundle", state, {"bundle": about.get("bundle")})
    if rng.random() < 0.3:
        _entries(path, rng)


def _entries(path: Path, rng: random.Random) -> None:
    """Change the entries of arrays in the first line of an array file, with its checksum made anew."""
    line, _, rest = path.read_bytes().partition(b"\n")
    whole = json.loads(line)
    mutate_tree(whole["content"]["arrays"], [whole["content"]["arrays"]], rng)
    try:
        whole["checksum"] = json_digest(whole["content"])
    except (TypeError, ValueError):
        return
    path.write_bytes(json.dumps(whole).encode() + b"\n" + rest)


def odd_array(array: Any, rng: random.Random) -> Any:
    """Return an array of other numbers, another shape, or another type."""
    match rng.randrange(6):
        case 0:
            return array[: len(array) // 2] if array.ndim else array
        case 1:
            return np.concatenate([array, array]) if array.ndim else array
        case 2:
            return array.astype(rng.choice((np.float64, np.int64, np.uint8))) if array.dtype.kind in "iufb" else array
        case 3:
            changed = array.copy()
            flat = changed.reshape(-1)
            if len(flat):
                flat[rng.randrange(len(flat))] = rng.choice((0, 1, 120))
            return changed
        case 4:
            return np.zeros((0, *array.shape[1:]), array.dtype)
        case _:
            return array.reshape(-1, 1) if array.size else array


def _json(name: str, donor: Any, run: Path, rng: random.Random) -> None:
    """Change a file of JSON at one to three places."""
    content = json.loads((run / name).read_text(encoding="utf-8"))
    for _ in range(rng.choice((1, 1, 2, 3))):
        mutate_tree(content, [donor], rng)
    (run / name).write_text(json.dumps(content), encoding="utf-8", errors="replace")


def _config(run: Path, rng: random.Random) -> None:
    """Change the config that a run keeps."""
    content = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    mutate_tree(content, [content], rng)
    (run / "config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def _frame(run: Path, rng: random.Random) -> None:
    """Change a table: its columns, their types, or its rows."""
    path = run / f"{rng.choice(PARQUET)}.parquet"
    frame = pl.read_parquet(path, glob=False)
    column = rng.choice(frame.columns)
    match rng.randrange(6):
        case 0:
            frame = frame.drop(column)
        case 1:
            names = [name for name in ("x", f"{column}2", f"relevant_{column}") if name not in frame.columns]
            frame = frame.rename({column: rng.choice(names)})
        case 2:
            frame = frame.with_columns(pl.lit(None).alias(column))
        case 3:
            frame = frame.with_columns(pl.lit(rng.choice((-1, "x", 1e308))).alias(column))
        case 4:
            frame = frame.head(rng.choice((0, 1, 5)))
        case _:
            frame = frame.sample(fraction=1, shuffle=True, seed=rng.randrange(100))
    content = BytesIO()
    frame.write_parquet(content)
    path.write_bytes(content.getvalue())


def _link(precious: Path, run: Path, rng: random.Random) -> None:
    """Move a file of the run elsewhere, and leave a link to it."""
    path = rng.choice(sorted(path for path in run.rglob("*") if path.is_file() and path.name != "manifest.json"))
    path = rng.choice((path, run / page.PAGE))
    precious.write_bytes(path.read_bytes() if path.exists() else b"")
    path.unlink(missing_ok=True)
    path.symlink_to(precious)


def _follow_links(patch: pytest.MonkeyPatch) -> int:
    def written(folder: Path, name: str, write: Callable[[Path], object]) -> Path:
        write(folder / name)
        return folder / name

    patch.setattr(page, "replace_file", written)
    return 60


def _check_no_name(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(runs, "_checked", lambda kind, file: kind.validate_python(json.loads(file.read_bytes())))
    return 12


BREAKS = {"files of a stranger are validated": _check_no_name, "no link is followed": _follow_links}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
