"""The writer of runs, which writes the folder of a run completely or not at all."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from hybridrec.data.readers.frames import frame_names
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.engine.results import RunResult
from hybridrec.errors import WriteError
from hybridrec.evaluation.samples import EvaluatedArm
from hybridrec.paths import partial_path, sync, sync_folder, writing
from hybridrec.runs.bundle import BUNDLE, write_bundle
from hybridrec.runs.manifest import REPORT, replace_file, write_manifest
from hybridrec.runs.query_frames import item_names, write_queries, write_slates
from hybridrec.runs.run import CONFIG, LOCK, MORE_SEGMENTS, NAMES, PER_QUERY, QUERIES, SLATES, Run

if TYPE_CHECKING:
    import polars as pl


def writable(folder: Path) -> None:
    """Create a folder for results and check that it can be written to; raises WriteError if it cannot.

    It is called before the results are computed, which may take hours.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{folder}: cannot be made a folder for results ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise WriteError(f"{folder}: no permission to write results into this folder")


def write(runs: Path, result: RunResult) -> Run:
    """Write all files of a run into a new folder below `runs`, and return the run; raises WriteError if that fails."""
    report = result.report
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{report.name}-{stamp}-{report.config_hash[:6]}"
    partial = partial_path(runs / name)
    try:
        with writing(runs / name):
            partial.mkdir(parents=True)
            _write_files(partial, result)
            write_manifest(partial)
            sync_folder(partial)
            final = _publish(partial, runs, name)
            sync(runs)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Run(final, report)


def write_report(run: Run) -> None:
    """Replace `report.json` of a run, after something was added to `run.report`."""
    text = run.report.model_dump_json(indent=1)
    replace_file(run.folder, REPORT, lambda path: path.write_text(text, encoding="utf-8"))


def free(runs: Path, name: str) -> Path:
    """Return a path below `runs` that does not exist: the name itself, or the name with a number."""
    return next(path for path in _candidates(runs, name) if not path.exists())


def _candidates(runs: Path, name: str) -> Iterator[Path]:
    """Yield paths for a new folder below `runs`: the name itself, then the name with 1, 2, ..."""
    yield runs / name
    yield from (runs / f"{name}-{number}" for number in itertools.count(1))


def _publish(partial: Path, runs: Path, name: str) -> Path:
    """Rename a complete folder to the first name that is not taken, and return its path.

    If another process takes a name in the meantime, the renaming fails, and the next name is tried.
    """
    for final in _candidates(runs, name):
        if final.exists():
            continue
        try:
            return partial.rename(final)
        except OSError:
            if not final.exists():
                raise
    raise AssertionError("names never end")


def _write_files(folder: Path, result: RunResult) -> None:
    report = result.report
    config = yaml.safe_dump(dict(result.config), sort_keys=False, allow_unicode=True)
    (folder / CONFIG).write_text(config, encoding="utf-8")
    lock = {
        "config_hash": report.config_hash,
        "data": report.data.model_dump(),
        "frames": frame_names(result.config["data"]),
        "seed": result.config["seed"],
        "threads": result.workers,
        "environment": report.environment.model_dump(),
        "fits": {f"{fit.fold}/{fit.level}/{fit.label}": fit.key for fit in report.fits if fit.repeat == 1},
        "sample": result.sample.digest,
    }
    (folder / LOCK).write_text(json.dumps(lock, indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / REPORT).write_text(report.model_dump_json(indent=1), encoding="utf-8")
    (folder / SLATES).mkdir()
    for name, targets in result.slates.items():
        for target, slates in targets.items():
            write_slates(folder / SLATES / f"{name}.{target}.parquet", slates)
    write_queries(folder / QUERIES, result.queries, result.data)
    item_names(result.data).write_parquet(folder / NAMES, compression="zstd", compression_level=1)
    per_query = _per_query(result)
    per_query.write_parquet(folder / PER_QUERY, compression="zstd", compression_level=1)
    if result.servable is not None:
        write_bundle(folder / BUNDLE, result.servable)


def _per_query(result: RunResult) -> pl.DataFrame:
    """Return the content of `per_query.parquet`: the values of all pipelines, with a row per pipeline and query."""
    import polars as pl

    return pl.concat(_frame(name, arm, result.data.users.vocabulary) for name, arm in result.arms.items())


def _frame(name: str, arm: EvaluatedArm, users: Vocabulary) -> pl.DataFrame:
    import polars as pl

    sample = arm.sample
    return pl.DataFrame(
        {
            "pipeline": pl.repeat(name, len(sample), eager=True),
            "query": np.arange(len(sample)),
            "unit": users.decode(sample.units),
            "weight": sample.weights,
            "segment": sample.segments,
            "served_by": arm.served_by,
        }
        | {f"{MORE_SEGMENTS}{name}": segments for name, segments in sample.more_segments.items()}
        | arm.values
    )
