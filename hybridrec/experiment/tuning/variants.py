"""One experiment with other values in some of its options."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybridrec.experiment.config import Experiment
from hybridrec.experiment.documents import Document, assign
from hybridrec.registry.discovery import Registry


@dataclass(frozen=True, slots=True)
class Variants:
    """Makes checked experiments from a document; relative paths in it start at `folder`."""

    document: Document
    registry: Registry
    folder: Path

    def content(self, values: Mapping[str, Any]) -> Document:
        """The document with values put in at their dotted paths, and without its section `tune`."""
        changed = replace(self.document, content=deepcopy(self.document.content))
        changed.content.pop("tune", None)
        for path, value in values.items():
            assign(changed.content, path, value, self.document.source)
        return changed

    def experiment(self, values: Mapping[str, Any]) -> Experiment:
        """The checked experiment with these values. Raises ConfigError if they are not valid together."""
        from hybridrec.experiment.checking import check  # checking a `tune` section needs variants

        return check(self.content(values), self.registry, self.folder)
