"""Exporters: the content of a finished run as files of another format."""

from __future__ import annotations

import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec.errors import PluginError
from hybridrec.plugin import Plugin
from hybridrec.tracing import calling

if TYPE_CHECKING:
    from hybridrec.runs.run import Run


class Exporter(Plugin):
    """A writer of a finished run's content in a format for other tools: `hybridrec export RUN --format NAME`."""

    @abstractmethod
    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        """Write files into a folder that exists, and only there; return their paths.

        `run` has the slates, queries and report; `hybridrec.load(run)` returns its recommender.
        Raises DataError if the run lacks something that the format needs, ConfigError if an option does not fit it.
        """

    def notes(self) -> list[str]:
        """Return important remarks on the last export for its user; none by default."""
        return []


def export(exporter: Exporter, run: Run, folder: Path) -> list[Path]:
    """Write the output of an exporter into a folder, completely or not at all; return the paths.

    The exporter works in an empty folder next to it, whose files are moved when all are written. Raises
    PluginError if the returned paths are not exactly the written files.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as place:
        with calling(exporter, f"while exporting {run.folder}"):
            paths = list(exporter.export(run, Path(place)))
        written = {path for path in Path(place).rglob("*") if path.is_file()}
        if set(paths) != written or len(paths) != len(written):
            returned = ", ".join(str(path) for path in paths) or "nothing"
            raise PluginError(f"exporter {exporter.name} returned {returned} and wrote {len(written)} files in {place}")
        targets = [folder / path.relative_to(place) for path in paths]
        for path, target in zip(paths, targets, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
    return targets
