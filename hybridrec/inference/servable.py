"""Everything that a run serves: pipelines trained on all of its data, and the data of users, items and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.ragged import Ragged
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.plugin import Plugin
from hybridrec.stages.component import Component
from hybridrec.stages.pipeline import Pipeline
from hybridrec.types import Target


@dataclass(frozen=True, slots=True)
class PluginSource:
    """A plugin that provides classes: its entry point and its distribution, or its file and the digest of that."""

    name: str
    module: str
    distribution: str
    version: str
    file: str = ""
    digest: str = ""

    def __str__(self) -> str:
        if self.file:
            return f"plugin '{self.name}' ({self.file}, without packaging)"
        return f"plugin '{self.name}' of {self.distribution} {self.version}"

    @property
    def install_hint(self) -> str:
        """The way to the version in use: a command, or the option that takes the file."""
        if self.file:
            where = "as a class" if self.file == "notebook" else f"from {self.file}"
            return f"hand it over {where}, as it was then, with `--plugin FILE.py` or `plugins=[...]`"
        return f"pip install '{self.distribution}=={self.version}'"


@dataclass(frozen=True, slots=True)
class ServableRun:
    """Pipelines trained on the whole data, with everything that they need to answer queries.

    name: of the experiment
    targets: the targets, with the length of their slates
    pipelines: by name, in the order of the config; the last one is the default
    components: by label, those that the pipelines need
    uses: label -> label of the component's base model
    data: users, items and tags, as far as queries need them (`served_data`)
    trained_on: fingerprint of the data that everything was trained on
    plugins: the plugins that provide the classes of components, re-rankers and their options
    memory: bytes that the queries in work may take
    origins: class -> distribution that provides it, for components and re-rankers
    users: True if the data holds its users; without them a query must bring everything about the user
    """

    name: str
    targets: Mapping[Target, int]
    pipelines: Mapping[str, Pipeline]
    components: Mapping[str, Component]
    uses: Mapping[str, str]
    data: Dataset
    trained_on: str
    plugins: tuple[PluginSource, ...]
    memory: int
    users: bool = True
    origins: Mapping[type[Plugin], str] = field(default_factory=dict)


def served_data(data: Dataset) -> Dataset:
    """Return the part of the data that answering queries needs.

    Tags have the assignments counted in, once for all queries; content vectors, which only training reads, and the
    groups, which only splits read, are dropped.
    """
    return replace(
        data,
        declared_user_tags=data.user_tags,
        declared_item_tags=data.item_tags,
        assignments=np.empty((0, 3), np.int32),
        interactions=replace(data.interactions, groups=None),
        item_vectors=None,
    )


def without_users(data: Dataset) -> Dataset:
    """Return served data without its users: no ids, histories, tags, titles, features and times of users."""
    features = data.user_features
    return replace(
        data,
        users=Vocabulary(),
        interactions=Ragged.empty(0, len(data.items)),
        titles=(),
        declared_user_tags=empty_csr(0, len(data.tags)),
        user_features=None if features is None else replace(features, matrix=empty_csr(0, len(features.names))),
        user_times=None if data.user_times is None else np.empty(0, np.float64),
    )


def plugin_classes(value: object) -> Iterator[type[Plugin]]:
    """Yield the class of a plugin, and recursively those of all plugins among its options."""
    if isinstance(value, Plugin):
        yield type(value)
        yield from plugin_classes(value.config)
    elif isinstance(value, BaseModel):
        for _, option in value:
            yield from plugin_classes(option)
    elif isinstance(value, Mapping):
        for option in value.values():
            yield from plugin_classes(option)
    elif isinstance(value, (list, tuple)):
        for option in value:
            yield from plugin_classes(option)
