"""From a config, a file or a value in Python, to a checked experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hybridrec.config import composition
from hybridrec.config import yaml_source as documents
from hybridrec.config.composition import SOURCE, plain_config
from hybridrec.config.experiment import Experiment
from hybridrec.config.resolve import Checker
from hybridrec.config.search_space import tuning
from hybridrec.config.yaml_source import Document
from hybridrec.errors import ConfigError
from hybridrec.registry.discovery import Registry
from hybridrec.registry.plugin_files import located


@dataclass(frozen=True, slots=True)
class OpenedConfig:
    """A config that was read, and not yet checked.

    document: its content, with the assignments made
    folder: where relative paths in it start
    text: the content as YAML, without the assignments
    path: its file, None if it was made in Python
    """

    document: Document
    folder: Path
    text: str
    path: Path | None

    def check(self, registry: Registry) -> Experiment:
        """Check the document."""
        return check(self.document, registry, self.folder)


def open_config(
    config: Path | str | Mapping[str, Any] | composition.Experiment,
    registry: Registry,
    assignments: tuple[str, ...] = (),
) -> OpenedConfig:
    """Read a config and override its values.

    A path, or `plugin:NAME/FILE`, is read; a mapping has the structure of such a file, and stays as it is.
    """
    if isinstance(config, (str, Path)):
        path = located(Path(config), registry)
        document = documents.load(path)
        opened = OpenedConfig(document, path.resolve().parent, path.read_text(encoding="utf-8"), path)
    elif isinstance(config, (Mapping, composition.Experiment)):
        document = Document(SOURCE, plain_config(config, registry))
        text = yaml.safe_dump(document.content, sort_keys=False, allow_unicode=True)
        opened = OpenedConfig(document, Path.cwd(), text, None)
    else:
        kind = type(config).__name__
        raise ConfigError(f"{SOURCE}: takes the path of a YAML file, a mapping or a hybridrec.Experiment, not {kind}")
    for assignment in assignments:
        document.set(assignment)
    return opened


def load_experiment(
    config: Path | str | Mapping[str, Any] | composition.Experiment,
    registry: Registry,
    assignments: tuple[str, ...] = (),
) -> Experiment:
    """Read, override and check a config; errors carry file, line and key path, or the key path alone."""
    return open_config(config, registry, assignments).check(registry)


def check(document: Document, registry: Registry, folder: Path) -> Experiment:
    """Check a document; relative paths in it start at `folder`."""
    checker = Checker(document, registry, folder)
    experiment = checker.experiment()
    return experiment if experiment.config.tune is None else replace(experiment, tuning=tuning(checker, experiment))
