"""Exporters, which write the content of a finished run as files in the format of another tool."""

from __future__ import annotations

import glob
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hybridrec.errors import PluginError, WriteError
from hybridrec.paths import partial_path, remove, sweep, sync, sync_folder, writing
from hybridrec.plugin import Plugin
from hybridrec.tracing import calling

if TYPE_CHECKING:
    from hybridrec.runs.run import Run


class Exporter(Plugin):
    """Base class of exporters: they write a run for other tools with `hybridrec export RUN --format NAME`."""

    @abstractmethod
    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        """Write files into `folder`, which exists, and nowhere else; return the paths of the files.

        `run` has the slates, queries and report; `hybridrec.load(run)` returns its recommender. Raises DataError if the
        run lacks something that the format needs, and ConfigError if an option of the exporter does not suit the run.
        """

    def notes(self) -> list[str]:
        """Return remarks on the last export that its user should read; by default an empty list."""
        return []


def export(exporter: Exporter, run: Run, folder: Path) -> list[Path]:
    """Call an exporter and put its files into `folder`; return their paths there.

    The exporter writes into an empty temporary folder in `folder`, or beside it if it does not exist, and its files are
    moved once all are written; if it fails, `folder` is as it was.

    Raises WriteError if the files cannot be written, and PluginError if the returned paths are not exactly the written
    files.
    """
    within = folder / "export"
    for path in (folder, within):
        sweep(path.parent, f".{glob.escape(path.name)}.*")
    # A folder that exists may be a mounted disk or a link to one, and files are not renamed from one disk to another.
    place = partial_path(within if folder.is_dir() else folder)
    try:
        with writing(folder):
            place.mkdir(parents=True)
        try:
            with writing(folder, faults=True), calling(exporter, f"while exporting {run.folder}"):
                paths = list(exporter.export(run, place))
        except WriteError as error:  # the temporary folder is gone when somebody reads this
            raise WriteError(str(error).replace(str(place), str(folder))) from None
        if not place.is_dir():
            raise WriteError(f"{folder} cannot be written: what was written into it is gone")
        written = {path for path in place.rglob("*") if path.is_file()}
        if set(paths) != written or len(paths) != len(written):
            returned = ", ".join(str(path) for path in paths) or "nothing"
            raise PluginError(f"exporter {exporter.name} returned {returned} and wrote {len(written)} files in {place}")
        targets = [folder / path.relative_to(place) for path in paths]
        with writing(folder):
            sync_folder(place)
            for path, target in zip(paths, targets, strict=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
            for parent in {target.parent for target in targets}:
                sync(parent)
    finally:
        remove(place)
    return targets
