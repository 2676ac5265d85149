"""Loading of a config from a file or a value in Python, up to a checked experiment."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_origin

import yaml

from hybridrec.config import composition, yaml_document
from hybridrec.config.composition import SOURCE, plain_config
from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.resolve import Checker
from hybridrec.config.search_space import tuning
from hybridrec.config.validation import nested_models
from hybridrec.config.yaml_document import KeyPath, YamlDocument
from hybridrec.data.io.files import FRAME, File
from hybridrec.data.readers.frames import frame_names, polars_frames
from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.plugin_files import PREFIX, located
from hybridrec.secret import holds_password

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class OpenedConfig:
    """A config that was read, but not checked yet.

    document: its content, in which assignments (`--set`) are made
    folder: where relative paths in it start
    text: the content as YAML, without the assignments
    path: its file, None if it was made in Python
    frames: the tables that were passed along with it
    """

    document: YamlDocument
    folder: Path
    text: str
    path: Path | None
    frames: Mapping[str, pl.DataFrame]

    def check(self, registry: Registry) -> CheckedExperiment:
        """Check the document, pass the frames to its reader, and return the experiment.

        Prints a note for each name that several plugins offer. Raises ConfigError for a mistake in the document, and
        for a frame that was passed for a table with a path.
        """
        experiment = check(self.document, registry, self.folder)
        for choice in experiment.choices:
            print(f"note: {choice}", file=sys.stderr)
        expected = frame_names(experiment.resolved["data"])
        for name in self.frames:
            if name not in expected:
                where = self.document.where(("data", name))
                raise ConfigError(f"{where}: has a path, and a frame was passed for it: leave out one of them")
        experiment.reader.frames = self.frames
        return experiment


def registry_for(
    config: Path | str | Mapping[str, Any] | composition.Experiment,
    assignments: Sequence[str] = (),
    *,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
    prefer: Mapping[tuple[str, str], str] = MappingProxyType({}),
) -> Registry:
    """Return the registry of plugins for a config: all installed plugins except the plugins that are blocked.

    The config blocks plugins under `plugins.block`, and the caller with `block`.

    `plugins` are further plugins, without packaging; `prefer` chooses between several plugins that offer the same name
    (see `Registry`).
    """
    registry = None
    if isinstance(config, (str, Path)):
        path = Path(config)
        if path.as_posix().startswith(PREFIX):
            registry = Registry(block=block, plugins=plugins, prefer=prefer)
            path = located(path, registry)
        document = yaml_document.load(path)
    else:
        content = {"plugins": config.plugins} if isinstance(config, composition.Experiment) else config
        section = content.get("plugins") if isinstance(content, Mapping) else None
        document = YamlDocument(SOURCE, {"plugins": dict(section)} if isinstance(section, Mapping) else {})
    for assignment in assignments:
        if assignment.startswith("plugins."):
            document.set(assignment)
    section = document.content.get("plugins")
    named = section.get("block") if isinstance(section, dict) else None
    named = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []  # else `check` says so
    if registry is None or named:
        registry = Registry(block=block, also_block=named, plugins=plugins, prefer=prefer)
    return registry


def open_config(
    config: Path | str | Mapping[str, Any] | composition.Experiment,
    registry: Registry,
    assignments: tuple[str, ...] = (),
    data: Mapping[str, object] | None = None,
) -> OpenedConfig:
    """Read a config and make the assignments in it.

    config: the path of a file, `plugin:NAME/FILE`, an `Experiment`, or a mapping with the structure of an experiment
        file; a mapping is not modified
    assignments: texts `key.path=value`
    data: name of a table of the reader -> the frame that takes the place of the table's file
    """
    frames = polars_frames(data or {})
    if isinstance(config, (str, Path)):
        path = located(Path(config), registry)
        document = yaml_document.load(path)
        opened = OpenedConfig(document, path.resolve().parent, path.read_text(encoding="utf-8"), path, frames)
    elif isinstance(config, (Mapping, composition.Experiment)):
        document = YamlDocument(SOURCE, plain_config(config, registry))
        text = yaml.safe_dump(document.content, sort_keys=False, allow_unicode=True)
        opened = OpenedConfig(document, Path.cwd(), text, None, frames)
    else:
        kind = type(config).__name__
        raise ConfigError(f"{SOURCE}: takes the path of a YAML file, a mapping or a hybridrec.Experiment, not {kind}")
    _assign(document, assignments)
    for name in frames:
        _refer_to_frame(document, name, registry)
    return opened


def load_experiment(
    config: Path | str | Mapping[str, Any] | composition.Experiment,
    registry: Registry,
    assignments: tuple[str, ...] = (),
    data: Mapping[str, object] | None = None,
) -> CheckedExperiment:
    """Read a config, make the assignments in it, and check it.

    Raises ConfigError for a mistake, with file, line and key path, or the key path alone for a config without a file.
    """
    return open_config(config, registry, assignments, data).check(registry)


def executor_assignments(assignments: Sequence[str], registry: Registry) -> tuple[str, ...]:
    """Return assignments before which the executor is assigned that `$HYBRIDREC_EXECUTOR` names, if it names one.

    Raises ConfigError if no executor has that name.
    """
    name = os.environ.get("HYBRIDREC_EXECUTOR")
    if not name or any(each.startswith("executor=") for each in assignments):
        return tuple(assignments)
    names = registry.names("executors")
    if name not in names:
        raise ConfigError(f"$HYBRIDREC_EXECUTOR: unknown executor '{name}': {did_you_mean(name, names)}")
    return (f"executor={json.dumps(name)}", *assignments)


def _assign(document: YamlDocument, assignments: Sequence[str]) -> None:
    """Make assignments in a document.

    A name that is assigned to `executor` keeps the options that the document has for this executor, and options may be
    assigned where there is only a name.
    """
    section = document.content.get("executor") if isinstance(document.content, dict) else None
    options = section if isinstance(section, dict) else {}
    if isinstance(section, str) and any(each.startswith("executor.") for each in assignments):
        document.content["executor"] = {"use": section}
    for assignment in assignments:
        document.set(assignment)
        if assignment.startswith("executor=") and isinstance(name := document.content["executor"], str):
            document.content["executor"] = {**(options if options.get("use") == name else {}), "use": name}


def _refer_to_frame(document: YamlDocument, name: str, registry: Registry) -> None:
    """Make the table `name` in the section `data` refer to the frame that was passed for it, unless it has a path.

    Raises ConfigError if the reader has no such table or the section maps no columns for it.
    """
    section = document.content.get("data")
    if not isinstance(section, dict) or section.get("reader") not in registry.names("readers"):
        return  # the check says what is wrong with it
    if name in frame_names(section):
        return
    options = registry.get("readers", section["reader"]).Config
    options.model_rebuild()  # the annotations of a model that was not used yet may be texts
    fields = {
        key: get_origin(field.annotation) is dict
        for key, field in options.model_fields.items()
        if any(issubclass(model, File) for model in nested_models(field.annotation))
    }
    table, _, kind = name.partition(".")
    if table not in fields or fields[table] != bool(kind):
        tables = [f"{key}.KIND" if by_kind else key for key, by_kind in fields.items()]
        reader = f"the reader '{section['reader']}' takes no table '{name}' as a frame"
        raise ConfigError(f"{document.where(('data',))}: {reader}: {did_you_mean(name, tables)}")
    place = (table, kind) if kind else (table,)
    mapped: Any = section
    for key in place:
        if not isinstance(mapped, dict) or key not in mapped:
            message = f"a frame was passed for it, and no columns are mapped: say {place[-1]}: {{...}} here"
            raise ConfigError(f"{document.where(('data', *place))}: {message}")
        mapped = mapped[key]
    if isinstance(mapped, dict) and mapped.get("path") is None:
        mapped["path"] = f"{FRAME}{name}"


def check(document: YamlDocument, registry: Registry, folder: Path) -> CheckedExperiment:
    """Check a document, whose relative paths start at `folder`; raises ConfigError with all mistakes found."""
    _refuse_passwords(document, document.content, ())
    checker = Checker(document, registry, folder)
    experiment = checker.experiment()
    return (
        experiment if experiment.config.tune is None else replace(experiment, tuning=tuning(checker, experiment, check))
    )


def _refuse_passwords(document: YamlDocument, value: object, path: KeyPath) -> None:
    """Raise ConfigError for a URL that holds a password, since configs are written into runs.

    The message does not show the password.
    """
    if isinstance(value, str) and holds_password(value):
        raise ConfigError(
            f"{document.where(path)}: this URL holds a password, and configs are written into runs and reports: leave "
            "it out, and give it in an option that is a secret, as `env:NAME` or `file:PATH`"
        )
    if isinstance(value, dict):
        for key, below in value.items():
            _refuse_passwords(document, below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            _refuse_passwords(document, below, (*path, index))
