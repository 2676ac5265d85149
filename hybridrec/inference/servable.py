"""Everything that a run serves: pipelines trained on all of its data, and the data of users, items and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.ragged import Ragged
from hybridrec.data.segments.base import Segmenter
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.plugin import Plugin
from hybridrec.stages.component import Component
from hybridrec.stages.pipeline import Pipeline
from hybridrec.types import Target


@dataclass(frozen=True, slots=True)
class PluginSource:
    """An installed plugin that provides classes: its entry point, and its distribution."""

    name: str
    module: str
    distribution: str
    version: str

    @property
    def install_hint(self) -> str:
        """The command that installs the version in use."""
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
    plugins: the plugins that provide the classes of components, re-rankers, the segmenter, and their options
    memory: bytes that the queries in work may take
    users: True if the data holds its users; without them a query must bring everything about the user
    segmenter: the first segmenter of the experiment, by whose segments re-rankers may have learned
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
    segmenter: Segmenter = field(default_factory=KnownFields)


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
