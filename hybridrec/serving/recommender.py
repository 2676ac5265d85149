"""The recommender, which answers queries from a bundle through the same pipelines that were evaluated."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from threadpoolctl import ThreadpoolController, threadpool_limits

from hybridrec.data.encoding import TAGS, encode, with_recent
from hybridrec.data.queries import Query, QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.segments.base import segments_of
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.errors import ConfigError, DataError, unknown_pipeline
from hybridrec.inference.blocks import blocks
from hybridrec.inference.servable import ServableRun
from hybridrec.observers.base import Observer, SlatesServed
from hybridrec.observers.dispatch import Observers
from hybridrec.runs.bundle import bundle_path, read_bundle
from hybridrec.serving.explain import Explanation, explain
from hybridrec.serving.lookup import Match, find, unknown_id
from hybridrec.serving.query_table import most_places
from hybridrec.serving.similar import Neighbour, embeddings, similar
from hybridrec.stages.embedding import Embedding
from hybridrec.stages.pipeline import Pipeline
from hybridrec.stages.slate import Slate
from hybridrec.types import ITEMS, PADDING, Bools, EntityKind, Target

if TYPE_CHECKING:
    from hybridrec.plugin import Plugin
    from hybridrec.registry.discovery import Registry
    from hybridrec.runs.run import Run

UnknownIds = Literal["refuse", "skip"]
"""Treatment of a query with an unknown id: raise an error, or answer as if the id was not there."""


class Recommender:
    """A recommender that answers queries by pipelines trained on the whole data, with the code that was evaluated.

    name: name of the experiment
    data: users, items and other entities, as far as queries need them
    pipelines: the pipelines by name
    default: the name of the pipeline that answers if a call names no pipeline. It is the winner of the run: the best of
        the pipelines that beat the control in the first metric over all queries and break no guardrail; without such a
        pipeline, the control
    components: the fitted components by label
    targets: target -> default length of its slates
    segmenter: name of the first segmenter of the experiment, which names the segments of queries
    digest: the digest of the bundle's content, 32 hex digits; bundles with the same digest answer alike
    """

    def __init__(
        self, servable: ServableRun, observers: Sequence[Observer] = (), *, unknown: UnknownIds = "refuse"
    ) -> None:
        """Take the pipelines of a run; `load` explains `observers` and `unknown`."""
        self._unknown = unknown
        self.name = servable.name
        self.data = servable.data
        self.pipelines = dict(servable.pipelines)
        self.default = servable.default
        self.components = dict(servable.components)
        self.targets = dict(servable.targets)
        self.digest = servable.digest
        self.knows_users = servable.users
        """True if queries may name users by their ids."""
        self._memory = servable.memory
        self._observers = Observers(observers)
        self._segmenter = servable.segmenter
        self.segmenter = servable.segmenter.name
        self._libraries = ThreadpoolController()
        self._modules = len(sys.modules)

    def recommend(
        self,
        queries: Query | Sequence[Query],
        n: int | None = None,
        *,
        pipeline: str | None = None,
        target: Target = "items",
    ) -> Slate:
        """Return the slates of n places for these queries; `Slate.to_frame` gives them in external ids.

        n: number of places; by default the length that the experiment sets for the target
        pipeline: name of the pipeline that answers, by default the winner of the run

        If the pipeline draws its slates at random, `Slate.requests` has a name for each request: the `id` of the query,
        or a new name. The same query with this name as its `id` gets the same slate again. Raises ConfigError for an
        unknown pipeline or target, and DataError for a query with a user id if the bundle holds no users.
        """
        started = time.perf_counter()
        batch = self.encode([queries] if isinstance(queries, Query) else queries)
        chosen, length = self.pipeline(pipeline), self.length(n, target)
        with self.one_thread():
            slates = [chosen.slate(block, target, length) for block in self.blocks(batch)]
        slate = slates[0] if len(slates) == 1 else Slate.stack(slates)
        slate = replace(slate, vocabulary=self.data.vocabulary(target))
        if self._observers.observers:
            self._tell(slate, batch, next(name for name, each in self.pipelines.items() if each is chosen), started)
        return slate

    def blocks(self, batch: QueryBatch) -> Iterator[QueryBatch]:
        """Yield the queries in blocks that fit the memory budget, for which dense models may keep their scores."""
        parts = blocks(batch, 1, self._memory)
        for rows in parts:
            block = batch if len(parts) == 1 else batch.take(rows)
            block.keep_scores()
            yield block

    def _tell(self, slate: Slate, batch: QueryBatch, pipeline: str, started: float) -> None:
        """Tell the observers which slates were served; issue a warning for each observer that fails."""
        vocabulary = self.data.vocabulary(slate.target)
        self._observers.tell(
            SlatesServed,
            name=self.name,
            pipeline=pipeline,
            target=slate.target,
            requests=batch.ids or (),
            ids=tuple(tuple(vocabulary.texts(row[row != PADDING])) for row in slate.ids),
            seconds=time.perf_counter() - started,
        )
        self._observers.warn()

    def explain(
        self, query: Query, n: int | None = None, *, pipeline: str | None = None, target: Target = "items"
    ) -> list[Explanation]:
        """Return the slate of one query with an explanation of each place: sources, scores, contributions, moves.

        `n` and `pipeline` have the defaults of `recommend`.
        """
        chosen, batch, length = self.pipeline(pipeline), self.encode([query]), self.length(n, target)
        with self.one_thread():
            return explain(chosen, batch, target, length, self.data)

    def embeddings(self, component: str) -> dict[str, Embedding]:
        """Return the vectors that a component learned, by kind of entity, with the count of each entity.

        The mapping is empty if the component has no vectors. Raises ConfigError for an unknown component.
        """
        return embeddings(self, component)

    def similar(
        self, component: str, asked: str | Query, *, by: str = "items", target: str = "items", n: int = 10
    ) -> list[Neighbour]:
        """Return the n entities of the kind `target` that are nearest to `asked` in the space of a component.

        component: label of the component
        asked: the id of an entity of the kind `by`, free words if `by` is "text", or a query; entities that it names
            are not among the neighbours
        by, target: kinds of the data, including users, or `words` and `features` of items if the component has
            vectors of them

        Similarity is the cosine of two vectors. The vector of `asked` is the vector that the component learned for this
        entity, or if there is none, the vector of a query with only this entity. A component without vectors gives its
        own scores. Raises ConfigError for an unknown component, for a component that draws its scores at random, and
        for a kind of which the component has no vectors. Raises DataError for an unknown id.
        """
        with self.one_thread():
            return similar(self, component, asked, by, target, n)

    def encode(self, queries: Sequence[Query]) -> QueryBatch:
        """Convert queries to a batch of arrays, with the segment that the experiment's first segmenter names for each.

        A query that names only a user gets the history, entities and text of that user in the training data. Raises
        DataError for an unknown id other than a user's, unless the recommender skips such ids.
        """
        if self._unknown == "refuse":
            self._refuse_unknown(queries)
        if not self.knows_users and (named := next((q.user for q in queries if q.user is not None), None)) is not None:
            raise users_left_out(named)
        stated = encode(queries, self.data, tuple(token_hex(16) if query.id is None else query.id for query in queries))
        bare = [not (query.items or query.tags or query.text or any(query.entities.values())) for query in queries]
        batch = self._with_profiles(stated, np.array(bare, bool))
        if any(query.recent for query in queries):
            batch = with_recent(batch, queries, self.data)
        return self._with_segments(batch)

    def complete(self, stated: QueryBatch, bare: Bools) -> QueryBatch:
        """Return encoded queries with the profiles of their users, where needed, and with their segments.

        The first segmenter of the experiment names the segments.

        stated: the encoded queries
        bare: bool [Q], True for queries that state no items, entities or text. If the data has their user, they get
            the history, entities and text of that user
        """
        return self._with_segments(self._with_profiles(stated, bare))

    def _with_segments(self, batch: QueryBatch) -> QueryBatch:
        if isinstance(self._segmenter, KnownFields):  # what queries know they need not carry
            return batch
        return replace(batch, segment=segments_of(self._segmenter, batch, self.data))

    def _with_profiles(self, stated: QueryBatch, bare: Bools) -> QueryBatch:
        """Return the queries; a `bare` query whose user the data has gets that user's history, entities and text."""
        bare = bare & (stated.users != PADDING)
        if not bare.any():
            return stated
        profiled, others = np.flatnonzero(bare), np.flatnonzero(~bare)
        asked = stated.take(profiled) if len(others) else stated
        profiles = self.data.queries(asked.users)
        profiles = replace(
            profiles,
            times=asked.times,
            disliked=_of_both(profiles.disliked, asked.disliked),
            user_features=asked.user_features,
            context=asked.context,
            ids=asked.ids,
        )
        if not len(others):
            return profiles
        rest = stated.take(others)
        histories = _with_equal_columns(profiles.history, rest.history)
        pair = [replace(each, history=history) for each, history in zip((profiles, rest), histories, strict=True)]
        return QueryBatch.stack(pair).take(np.argsort(np.concatenate([profiled, others])))

    def _refuse_unknown(self, queries: Sequence[Query]) -> None:
        """Raise DataError for the first id in the queries that the data does not have; pass over unknown kinds."""
        entities = self.data.entities
        for place, query in enumerate(queries):
            stated = (
                (ITEMS, query.items),
                (ITEMS, query.recent),
                (ITEMS, query.disliked),
                (TAGS, query.tags),
                *query.entities.items(),
            )
            for kind, ids in stated:
                if kind not in entities or not ids:
                    continue
                codes = entities[kind].vocabulary.encode(list(ids))
                if (unknown := np.flatnonzero(codes == PADDING)).size:
                    error = unknown_id(ids[unknown[0]], entities[kind].vocabulary, kind, entities[kind].text)
                    raise DataError(f"query {place}: {error}; `load(..., unknown='skip')` passes over unknown ids")

    def find(self, text: str, kind: EntityKind = ITEMS) -> Match:
        """Return the item, or entity of another kind, that `text` means: an exact id, else a title typed loosely.

        Raises DataError for a kind that the data does not have, for a text that is neither an id nor similar to a
        title, and for a text that may mean several titles; the message names the nearest titles.
        """
        return find(text, self.data, kind)

    def pipeline(self, name: str | None = None) -> Pipeline:
        """Return the pipeline of a name, by default the winner of the run; raises ConfigError for an unknown name."""
        name = self.default if name is None else name
        if name not in self.pipelines:
            raise ConfigError(unknown_pipeline(name, self.pipelines))
        return self.pipelines[name]

    def one_thread(self) -> AbstractContextManager[object]:
        """Return a context manager that limits the libraries under the components to one thread.

        Several threads would wait for each other for longer than a query takes. Finding the libraries takes even
        longer, so it is repeated only after something was imported.
        """
        if len(sys.modules) != self._modules:
            self._libraries, self._modules = ThreadpoolController(), len(sys.modules)
        return cast(AbstractContextManager[object], self._libraries.limit(limits=1))

    def length(self, n: int | None, target: Target) -> int:
        """Return the number of places of slates: `n`, or without it the length that the experiment sets for the target.

        Raises ConfigError for a target that the run does not recommend, and for an n below 1 or beyond `most_places`.
        """
        if target not in self.targets:
            raise ConfigError(f"the run does not recommend {target}; it recommends {', '.join(self.targets)}")
        if n is not None and n < 1:
            raise ConfigError(f"n is {n}; ask for at least one recommendation")
        if n is not None and n > (most := most_places(self.data)):
            raise ConfigError(f"n is {n}; ask for at most {most:,} recommendations")
        return n or self.targets[target]


def users_left_out(user: str) -> DataError:
    """Return, but do not raise, the error about a query with a user id where the bundle holds no users."""
    return DataError(
        f"user '{user}' cannot be asked for: this bundle was written without users; say in the query what is "
        "known of the user (items, tags, text), or load the run, or a bundle with its users"
    )


def _with_equal_columns(*histories: Ragged) -> list[Ragged]:
    """Return the histories, all with times if any of them has times, and all with weights if any has weights.

    A missing time is NaN, and a missing weight is 1. `Ragged.stack` would drop a column that only some histories have,
    so that the answer to a query would depend on the other queries of the batch.
    """
    timed = any(history.times is not None for history in histories)
    weighted = any(history.weights is not None for history in histories)
    return [
        replace(
            history,
            times=np.full(len(history.ids), np.nan) if timed and history.times is None else history.times,
            weights=np.ones(len(history.ids), np.float32) if weighted and history.weights is None else history.weights,
        )
        for history in histories
    ]


def load(
    run_or_bundle: Run | Path | str,
    *,
    registry: Registry | None = None,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
    observers: Sequence[Observer] = (),
    unknown: UnknownIds = "refuse",
) -> Recommender:
    """Load a bundle, or a finished run that has one (made with `refit: all`), and return its recommender.

    Nothing is split or trained, and no data file, reader, metric or store of the experiment is needed: it works in any
    folder, and wherever hybridrec and the plugins that the bundle names are installed.

    registry: the plugins to use; by default only the plugins that the bundle names are loaded
    block: names of plugins that are not loaded
    plugins: the plugins without packaging that the bundle names, as they were for the run
    observers: observers to tell of every answer (`SlatesServed`); the observers of the run's config are not told
    unknown: "refuse" to raise DataError, with the nearest ids, for a query with an unknown id of an item or another
        entity; "skip" to answer as if the id was not there. An unknown user is always answered as a new user

    Raises DataError if the bundle is missing. Raises StoreError if it is damaged, or if the installed version of a
    component does not read its state (`Component.reads_versions`). Raises PluginError if a plugin is missing or
    blocked, or if a plugin without packaging has changed since the run.
    """
    with threadpool_limits(limits=1):
        servable = read_bundle(bundle_path(run_or_bundle), registry, block=block, plugins=plugins)
        return Recommender(servable, observers, unknown=unknown)


def _of_both(first: Ragged | None, second: Ragged | None) -> Ragged | None:
    """Join two Ragged row by row: each row has the ids of both, without times and weights.

    If one of them is None, the other is returned as it is.
    """
    if first is None or second is None:
        return second if first is None else first
    rows, ids = (np.concatenate([getattr(first, name), getattr(second, name)]) for name in ("rows", "ids"))
    return Ragged.from_columns(rows, ids, (len(first), first.width))
