"""From a YAML file to a checked experiment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hybridrec.config import yaml_source as documents
from hybridrec.config.experiment import Experiment
from hybridrec.config.resolve import Checker
from hybridrec.config.search_space import tuning
from hybridrec.config.yaml_source import Document
from hybridrec.registry.discovery import Registry
from hybridrec.registry.plugin_files import located


def load_experiment(path: Path, registry: Registry, assignments: tuple[str, ...] = ()) -> Experiment:
    """Read, override and check an experiment file, or `plugin:NAME/FILE`; errors carry file, line and key path."""
    path = located(path, registry)
    document = documents.load(path)
    for assignment in assignments:
        document.set(assignment)
    return check(document, registry, path.resolve().parent)


def check(document: Document, registry: Registry, folder: Path) -> Experiment:
    """Check a document; relative paths in it start at `folder`."""
    checker = Checker(document, registry, folder)
    experiment = checker.experiment()
    return experiment if experiment.config.tune is None else replace(experiment, tuning=tuning(checker, experiment))
