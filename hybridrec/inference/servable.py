"""The servable part of a run: pipelines trained on all data, and the data that queries need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.entities import Entities
from hybridrec.data.ragged import Ragged
from hybridrec.data.segments.base import Segmenter
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.plugin import Plugin
from hybridrec.stages.component import Component
from hybridrec.stages.pipeline import Pipeline
from hybridrec.types import USERS, Target


@dataclass(frozen=True, slots=True)
class PluginSource:
    """The origin of a plugin that serving needs.

    For an installed plugin it is the entry point and the distribution; for a plugin without packaging, its file and
    the digest of its source.
    """

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
        """The way to get the plugin in this version, in words: a command, or the option that takes its file."""
        if self.file:
            where = "as a class" if self.file == "notebook" else f"from {self.file}"
            return f"hand it over {where}, as it was then, with `--plugin FILE.py` or `plugins=[...]`"
        return f"pip install '{self.distribution}=={self.version}'"


@dataclass(frozen=True, slots=True)
class ServableRun:
    """Pipelines trained on the whole data, with everything that they need to answer queries.

    name: name of the experiment
    targets: target -> length of its slates
    pipelines: the pipelines by name, in the order of the config
    default: the name of the pipeline that answers if a query names no pipeline: the winner of the run
    components: by label, the components that the pipelines need
    uses: label -> label of the component's base model
    data: users, items and other entities, as far as queries need them (`served_data`)
    trained_on: fingerprint of the data that everything was trained on
    plugins: the plugins that provide the classes of components, re-rankers and the segmenter, and of plugins that stand
        in their options
    memory: memory budget in bytes for the queries in work
    origins: class -> distribution that provides it, for components and re-rankers
    users: True if the data holds its users; without them a query must bring everything about the user
    segmenter: the first segmenter of the experiment; re-rankers may have learned something else for each segment
    digest: the digest of the bundle's content, "" if it was not read from a bundle
    """

    name: str
    targets: Mapping[Target, int]
    pipelines: Mapping[str, Pipeline]
    default: str
    components: Mapping[str, Component]
    uses: Mapping[str, str]
    data: Dataset
    trained_on: str
    plugins: tuple[PluginSource, ...]
    memory: int
    users: bool = True
    segmenter: Segmenter = field(default_factory=KnownFields)
    origins: Mapping[type[Plugin], str] = field(default_factory=dict)
    digest: str = ""


def served_data(data: Dataset) -> Dataset:
    """Return the part of the data that is needed to answer queries.

    Assignments (of tags to items by users) are added into the matrices of users and items, once for all queries.
    Content vectors and impressions, which only training reads, and groups, which only splits read, are dropped.
    """
    stated = [kind for kind in data.targets[1:] if kind not in data.through_items]
    return replace(
        data,
        entities={kind: replace(entities, vectors=None) for kind, entities in data.entities.items()},
        interactions=replace(data.interactions, groups=None, targets=None),
        user_has={kind: data.user_matrix(kind) for kind in stated},
        item_has={kind: data.item_matrix(kind) for kind in dict.fromkeys([*data.item_has, *data.assignments])},
        assignments={},
        impressions=None,
    )


def without_users(data: Dataset) -> Dataset:
    """Return served data without the ids, histories, dislikes, entities, titles, features and times of users."""
    nobody = np.empty(0, np.int32)
    users, context = data.users, data.interactions.context
    return replace(
        data,
        entities=data.entities
        | {
            USERS: Entities(
                Vocabulary(),
                times=None if users.times is None else np.empty(0, np.float64),
                features=None if users.features is None else users.features.take(nobody),
            )
        },
        interactions=replace(
            Ragged.empty(0, len(data.items)), context=None if context is None else context.take(nobody)
        ),
        user_has={kind: empty_csr(0, data.size(kind)) for kind in data.user_has},
        dislikes=None,
    )


def plugin_classes(value: object) -> Iterator[type[Plugin]]:
    """Yield the class of a plugin, and the classes of all plugins among its options, at any depth."""
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
