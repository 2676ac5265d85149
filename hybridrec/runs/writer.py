"""Files of a run, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from hybridrec.data.dataset import Dataset
from hybridrec.data.readers.frames import frame_names
from hybridrec.engine.query_frames import names_frame, write_asked
from hybridrec.errors import ConfigError
from hybridrec.evaluation.report import Report
from hybridrec.paths import inside, write_whole

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.vocabulary import Vocabulary
    from hybridrec.engine.runner import Experimenter
from hybridrec.runs.run import CONFIG, LOCK, NAMES, PER_QUERY, QUERIES, REPORT, SERVING, SLATES, Run, Serving


def writable(folder: Path) -> None:
    """Make a folder for results, before hours are spent on them; raises ConfigError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made a folder for results ({error.strerror})") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: no permission to write results into this folder")


def write(
    runs: Path, work: Experimenter, report: Report, data: Dataset, serving: Mapping[str, str] | None = None
) -> Run:
    """Write all files of a run into a new folder below `runs`."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = f"{report.name}-{stamp}-{report.config_hash[:6]}"
    partial = runs / f".{name}.{os.getpid()}"
    partial.mkdir(parents=True)
    try:
        _write_files(partial, work, report, data, serving)
        final = free(runs, name)
        partial.rename(final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Run(final, report)


def write_report(run: Run) -> None:
    """Write `report.json` anew: something is to be said of the run that was not known before."""
    write_whole(run.folder / REPORT, run.report.model_dump_json(indent=1))


def write_serving(run: Run, serving: Serving) -> None:
    """From now on the run recommends from this."""
    write_whole(run.folder / SERVING, json.dumps(asdict(serving), indent=1))


def free(runs: Path, name: str) -> Path:
    """A folder name that is not taken."""
    candidates = (runs / (name if not number else f"{name}-{number}") for number in range(1_000))
    return next(path for path in candidates if not path.exists())


def _write_files(
    folder: Path, work: Experimenter, report: Report, data: Dataset, serving: Mapping[str, str] | None
) -> None:
    config = yaml.safe_dump(work.experiment.resolved, sort_keys=False, allow_unicode=True)
    (folder / CONFIG).write_text(config, encoding="utf-8")
    lock = {
        "config_hash": report.config_hash,
        "data": report.data.model_dump(),
        "frames": frame_names(work.experiment.resolved["data"]),
        "seed": work.experiment.config.seed,
        "threads": work.executor.workers,
        "environment": report.environment.model_dump(),
        "fits": {f"{fit.fold}/{fit.level}/{fit.label}": fit.key for fit in report.fits if fit.repeat == 1},
        "sample": work.findings.sample.digest,
        "serving": serving,
    }
    (folder / LOCK).write_text(json.dumps(lock, indent=1, ensure_ascii=False), encoding="utf-8")
    (folder / REPORT).write_text(report.model_dump_json(indent=1), encoding="utf-8")
    (folder / SLATES).mkdir()
    # At its first level zstd takes the least time, and makes files that are as small.
    for name in work.findings.arms:
        measured = work.findings.measured[name]
        for target in work.experiment.config.targets:
            slates = measured.slates(target, data.items if target == "items" else data.tags)
            file = inside(folder / SLATES, f"{name}.{target}.parquet")
            slates.sink_parquet(file, compression="zstd", compression_level=1)
    write_asked(folder / QUERIES, work.findings.asked, data)
    names_frame(data).write_parquet(folder / NAMES, compression="zstd", compression_level=1)
    _per_query(work, data.users).write_parquet(folder / PER_QUERY, compression="zstd", compression_level=1)


def _per_query(work: Experimenter, users: Vocabulary) -> pl.DataFrame:
    """The measured values of all pipelines below one another."""
    import polars as pl

    return pl.concat(_frame(name, arm, users) for name, arm in work.findings.arms.items())


def _frame(name: str, arm: Any, users: Vocabulary) -> pl.DataFrame:
    import polars as pl

    sample = arm.sample
    return pl.DataFrame(
        {
            "pipeline": pl.repeat(name, len(sample), eager=True),
            "query": np.arange(len(sample)),
            "unit": users.decode(sample.units),
            "weight": sample.weights,
            "segment": sample.segments,
            "rung": arm.rungs,
        }
        | arm.values
    )
