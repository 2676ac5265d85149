"""Splitter `judged`: every query of the reader `qrels`, with its relevant ids as the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import ConfigError, DataError, Dataset, Fold, Splitter
from hybridrec_slates.qrels import PLACE, QUERIES


class Judged(Splitter):
    """All queries of the reader `qrels`, in the order of their file; nothing but their columns is known of them.

    The gain of an id is its relevance. Nothing is left to train on, so only slates from files can be compared.
    """

    name = "judged"

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold; raises DataError for data of another reader."""
        relevant = data.interactions
        if relevant.groups is None or QUERIES not in data.entities:
            raise DataError("split judged: the data has no queries; use it with the reader `qrels`")
        queries = int(relevant.groups.max()) + 1
        rows = np.argsort(relevant.groups, kind="stable")
        lengths = np.bincount(relevant.groups, minlength=queries)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        first = rows[offsets[:-1]]
        weights = np.ones(len(rows), np.float32) if relevant.weights is None else relevant.weights[rows]
        gains = csr_matrix((weights, relevant.ids[rows], offsets), shape=(queries, relevant.width))
        gains.sort_indices()
        truth = csr_matrix((np.ones_like(gains.data), gains.indices, gains.indptr), shape=gains.shape)
        units = relevant.rows[first]
        nothing = data.hide(np.ones(len(relevant.ids), bool))
        asked = nothing.queries(units)
        yield Fold(
            name="judged",
            train=nothing,
            queries=replace(
                asked,
                ids=_names(data, queries),
                context=None if relevant.context is None else relevant.context.take(first),
            ),
            truth={"items": truth},
            units=units,
            weights=np.ones(queries),
            gains={"items": gains} if (weights != 1).any() else {},
        )

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Refuse to split: raises ConfigError, as nothing is left to learn from."""
        raise ConfigError("split judged has no training part: a blend of slates cannot learn, use `rrf` or `weighted`")


def _names(data: Dataset, queries: int) -> tuple[str, ...]:
    """Return the ids of the queries in the order of their file."""
    entities = data.entities[QUERIES]
    assert entities.features is not None
    places = entities.features.numbers(PLACE).astype(int)
    names = np.empty(queries, object)
    names[places] = entities.vocabulary.ids.to_list()
    return tuple(names.tolist())
