"""`attribute`: segments of queries by a feature or tag of the user, or of the items of the history."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator

from hybridrec import DataError, Dataset, Doubles, Features, Options, QueryBatch, Segmenter, Sparse
from hybridrec_segments.ranges import UNKNOWN, ascending, by_bounds


class AttributeOptions(Options):
    """Options of `attribute`: the features or entities, of users or of items in the history, that are segments."""

    of: Literal["user", "items"] = "user"
    """`user`: what the query knows of the user; `items`: the items of the history, each as often as it occurs."""
    among: str = "features"
    """`features`, or `tags` or another kind of entities, of the user or of the items."""
    names: list[str] = Field([])
    """The features or entities that are segments; by default all of them, so that a long list makes many segments."""
    bounds: Annotated[list[float], AfterValidator(ascending)] | None = Field(None, min_length=1)
    """Treat the one feature in `names` as a number, and begin a segment at each of these values: [18, 30] makes
    "below 18", "from 18 to 30" and "from 30". For `of: items` the number is the mean over the items that have it."""

    @model_validator(mode="after")
    def _one_number(self) -> AttributeOptions:
        if self.bounds is not None and len(self.names) != 1:
            raise ValueError("`bounds` are those of one feature: give `names` one name")
        if self.bounds is not None and self.among != "features":
            raise ValueError("`bounds` are those of a feature: leave `among` out")
        return self


class Attribute(Segmenter):
    """Attribute of the user, or the most frequent attribute of the history's items; of equally frequent ones the first.

    An attribute counts by its weight. The segment is `unknown` if there is none: for an unknown user, a user without
    features, or a history whose items have none.
    """

    name = "attribute"
    Config = AttributeOptions
    config: AttributeOptions

    def segment(self, queries: QueryBatch, data: Dataset) -> NDArray[np.str_]:
        """Return str [Q]: the attribute of each query; raises DataError for names that the data does not have."""
        if self.config.bounds is not None:
            return by_bounds(self._number(queries, data, self.config.names[0]), self.config.bounds)
        names, values = self._attributes(queries, data)
        chosen = [_place(name, names, self.name) for name in self.config.names]
        if chosen:
            names, values = [names[place] for place in chosen], values[:, chosen]
        return _heaviest(names, values)

    def _attributes(self, queries: QueryBatch, data: Dataset) -> tuple[Sequence[str], Sparse]:
        """Return the names of the attributes, and their weights in each query, csr [Q, names]."""
        kind = self.config.among
        if kind != "features":
            if kind not in data.kinds:
                others = ", ".join(("features", *data.kinds))
                raise DataError(f"segmenter '{self.name}': the data has no '{kind}' (`among`); it has {others}")
            names = list(data.vocabulary(kind).ids)
            if self.config.of == "user":
                return names, queries.matrix(kind)
            return names, _counts(queries) @ data.item_matrix(kind)
        features = self._features(data)
        if self.config.of == "items":
            return features.names, _counts(queries) @ features.matrix
        return features.names, _of_users(queries, features).matrix

    def _features(self, data: Dataset) -> Features:
        features = data.users.features if self.config.of == "user" else data.items.features
        if features is None:
            owners = "users" if self.config.of == "user" else "items"
            raise DataError(f"segmenter '{self.name}': the {owners} of the data have no features")
        return features

    def _number(self, queries: QueryBatch, data: Dataset, name: str) -> Doubles:
        """Return the value of a feature for each query: float64 [Q], NaN if unknown.

        For `of: items` it is the mean over the items of the history that have it.
        """
        features = self._features(data)
        _place(name, features.numeric, self.name)
        if self.config.of == "user":
            return _of_users(queries, features).numbers(name)
        numbers, counts = features.numbers(name), _counts(queries)
        items = counts @ (~np.isnan(numbers)).astype(np.float64)
        return np.where(items > 0, counts @ np.nan_to_num(numbers, nan=0.0) / np.maximum(items, 1), np.nan)


def _counts(queries: QueryBatch) -> Sparse:
    """Count how often each item is in the history of each query: csr [Q, I]."""
    return replace(queries.history, weights=None).matrix()


def _of_users(queries: QueryBatch, features: Features) -> Features:
    """Return the features of the queries' users, a row for each query; all unknown if the queries have none."""
    if queries.user_features is None:
        return features.take(np.full(len(queries), -1, np.int32))
    return queries.user_features


def _place(name: str, names: Sequence[str], segmenter: str) -> int:
    """Return the place of a feature or tag in `names`; raises DataError, with similar names, if it is not there."""
    if name not in names:
        near = ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[:3])
        raise DataError(f"segmenter '{segmenter}': the data has no '{name}'; it has, for example, {near}")
    return list(names).index(name)


def _heaviest(names: Sequence[str], values: Sparse) -> NDArray[np.str_]:
    """Return the name of the largest positive value of each row: str [Q].

    Of equal values the first counts; a row without a positive value is "unknown".
    """
    values = values.tocsr()
    rows = np.repeat(np.arange(values.shape[0]), np.diff(values.indptr))
    order = np.lexsort((values.indices, -values.data, rows))
    order = order[values.data[order] > 0]
    first = np.ones(len(order), bool)
    first[1:] = rows[order][1:] != rows[order][:-1]
    best = order[first]
    chosen = np.full(values.shape[0], len(names), np.int64)
    chosen[rows[best]] = values.indices[best]
    return np.array([*names, UNKNOWN], np.str_)[chosen]
