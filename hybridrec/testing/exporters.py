"""The contract suite of exporters: the checks that they must pass."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml

import hybridrec
from hybridrec.errors import ConfigError, DataError, HybridrecError
from hybridrec.registry.discovery import Registry
from hybridrec.runs import exporter as exporters
from hybridrec.runs.exporter import Exporter
from hybridrec.runs.manifest import MANIFEST, REPORT
from hybridrec.runs.run import Run
from hybridrec.stages.component import Generator
from hybridrec.testing.contract import PluginContract


class ExporterContract(PluginContract):
    """The contract suite of exporters, with a named check for each requirement.

    exporter: the class under test
    experiment: the config of the run to export, or "plugin:NAME/FILE"; by default a small one
    """

    role = "exporter"
    exporter: ClassVar[type[Exporter]]
    experiment: ClassVar[Path | str | None] = None

    @classmethod
    def unfit(cls, options: Mapping[str, Any]) -> str | None:
        """Return the reason why the run of the suite cannot be exported with these options; None if it can."""
        with tempfile.TemporaryDirectory() as place, _run(cls.experiment) as run:
            try:
                cls.exporter(cls.exporter.Config.model_validate(options)).export(run, Path(place))
            except (ConfigError, DataError) as error:
                return f"'{cls.exporter.name}' needs another run than that of the suite ({error}): give `experiment`"
        return None

    def test_returns_the_paths_that_it_wrote(self, options: Mapping[str, Any]) -> None:
        """Require the returned paths to be the paths of all files in the folder, each path once."""
        with tempfile.TemporaryDirectory() as place, _run(self.experiment) as run:
            paths = [Path(path) for path in self.exporter(self.options(options)).export(run, Path(place))]
            written = _files(Path(place))
            assert paths, "it wrote nothing"
            assert len(paths) == len(set(paths)), "a path is returned twice"
            told = f"returned {_shown(paths)}, but the folder contains {_shown(written)}"
            assert {path.resolve() for path in paths} == {path.resolve() for path in written}, told

    def test_writes_only_inside_the_folder(self, options: Mapping[str, Any]) -> None:
        """Require that no file outside the given folder is written, say in the run's folder or the working folder."""
        with tempfile.TemporaryDirectory() as place, _run(self.experiment) as run:
            folder, here = Path(place, "given"), Path(place, "here")
            folder.mkdir()
            here.mkdir()
            before = _states(run.folder)
            back = Path.cwd()
            os.chdir(here)
            try:
                self.exporter(self.options(options)).export(run, folder)
            finally:
                os.chdir(back)
            assert _states(run.folder) == before, "the folder of the run was changed"
            strays = [path for path in _files(Path(place)) if not path.is_relative_to(folder)]
            assert not strays, f"it wrote {_shown(strays)}, outside the folder"

    def test_exports_the_whole_or_nothing(self, options: Mapping[str, Any]) -> None:
        """Require a HybridrecError and an empty folder if files of the run are missing."""
        with tempfile.TemporaryDirectory() as place, _run(self.experiment) as run:
            damaged = Path(place, "damaged")
            shutil.copytree(run.folder, damaged)
            for path in _files(damaged):
                if path.name not in (MANIFEST, REPORT):  # without them it would not be a run, and would not open
                    path.unlink()
            run, folder = Run.open(damaged), Path(place, "given")
            try:
                exporters.export(self.exporter(self.options(options)), run, folder)
            except HybridrecError:
                assert not (folder.exists() and _files(folder)), f"{_shown(_files(folder))} is left of a failed export"
            except Exception as error:
                raise AssertionError(f"{error!r} instead of an error that names the missing file") from error


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _states(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in _files(folder)}


def _shown(paths: list[Path]) -> str:
    return ", ".join(path.name for path in paths) or "nothing"


@contextmanager
def _run(experiment: Path | str | None) -> Iterator[Run]:
    """Yield a copy of a finished run of an experiment, which is run once for all checks.

    In the `with` block, the store of that run is the default store.
    """
    run, store = _made(experiment)
    place = Path(tempfile.mkdtemp(prefix="hybridrec-run-"))
    shutil.copytree(run.folder, place / run.folder.name)
    before = os.environ.get("HYBRIDREC_STORE")
    os.environ["HYBRIDREC_STORE"] = str(store)
    try:
        yield Run.open(place / run.folder.name)
    finally:
        shutil.rmtree(place)
        if before is None:
            del os.environ["HYBRIDREC_STORE"]
        else:
            os.environ["HYBRIDREC_STORE"] = before


@cache
def _made(experiment: Path | str | None) -> tuple[Run, Path]:
    """Run an experiment, by default a small one, in a folder that is deleted at exit.

    Returns the run and the folder of its store.
    """
    folder = Path(tempfile.mkdtemp(prefix="hybridrec-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store, runs = folder / "store", folder / "runs"
    if experiment is not None:
        return hybridrec.run(experiment, store=store, runs=runs), store
    config = folder / "small.yaml"
    for name in _generators():
        config.write_text(yaml.safe_dump(_small(name)), encoding="utf-8")
        try:
            return hybridrec.run(config, store=store, runs=runs), store
        except DataError:
            continue  # it needs data that this dataset lacks
    raise ConfigError("no installed generator serves a small run: give the suite an `experiment`")


def _generators() -> Iterator[str]:
    """Yield the names of generators that propose items for every query, need no extra library and no options."""
    for cls in Registry().classes("components"):
        required = any(field.is_required() for field in cls.Config.model_fields.values())
        if issubclass(cls, Generator) and not cls.requires and not required:
            made = cls()
            if "items" in made.targets and not made.needs:
                yield cls.name


def _small(name: str) -> dict[str, Any]:
    """Return the config of a small run with one component, the generator of this name."""
    return {
        "name": "small",
        "data": {"reader": "setlists", "min_items": 12},
        "split": {"use": "masked", "scenarios": {"items": 1}},
        "components": {name: {}},
        "targets": {"items": 10},
        "pipelines": {name: {"generators": [{"from": name, "k": 50}], "fallback": [name]}},
        "compare": {"resamples": 100},
        "refit": "all",
        "workers": 1,
    }
