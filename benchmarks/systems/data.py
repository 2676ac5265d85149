"""Data sets on which systems are measured: the folder of their configs, and their missing files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.readme import ROOT
from hybridrec.config.experiment import CheckedExperiment

CONFIGS = ROOT / "configs" / "systems"
SOURCE = re.compile(r"https?://\S+|python -m benchmarks\.systems\.\w+")
"""Pattern of the source of data in the comments of a config: an address, or a command."""


def missing(experiment: CheckedExperiment, config: Path) -> Iterator[str]:
    """Yield a sentence for each missing file of an experiment, with the source that the config names."""
    source = SOURCE.search(config.read_text(encoding="utf-8"))
    for path in paths(experiment.reader.config.model_dump()):
        if not path.exists():
            yield f"{path} is not there" + (f" (from {source[0]})" if source else "")


def paths(options: Any) -> Iterator[Path]:
    """Yield all paths among nested options."""
    if isinstance(options, Path):
        yield options
    elif isinstance(options, dict):
        for value in options.values():
            yield from paths(value)
