"""Filters of requests: conditions on declared attributes of the target, evaluated for all ids at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from hybridrec import Bools, FeatureColumn, Features, did_you_mean
from hybridrec_server.protocols import RequestProblem

_MEMORY = 1 << 24
"""The most bytes of masks that are kept, as the same filters return in many requests."""


class Rules:
    """The filters of requests, on the attributes that the data declare."""

    def __init__(self, features: Mapping[str, Features | None]) -> None:
        """Take for each target the features with its attributes, None for a target without any."""
        self._features = features
        self._masks: OrderedDict[bytes, Bools] = OrderedDict()
        self._size = 0

    def excluded(self, target: str, filters: Sequence[Mapping[str, Any]]) -> Bools:
        """Return the ids of the target that do not meet all filters: bool[N].

        Each filter has the keys of `schemas.FilterRule`. Raises RequestProblem for an attribute that the target does
        not have, and for a value of another type.
        """
        key = orjson.dumps([target, filters])
        if key in self._masks:
            self._masks.move_to_end(key)
            return self._masks[key]
        features = self._features[target]
        excluded = np.zeros(0 if features is None else len(features), bool)
        for place, rule in enumerate(filters):
            meets = _meets(target, features, rule, f"filters[{place}]")
            excluded |= meets if rule.get("not") else ~meets
        excluded.flags.writeable = False
        self._masks[key] = excluded
        self._size += len(excluded) + len(key)
        while self._size > _MEMORY and len(self._masks) > 1:
            oldest, mask = self._masks.popitem(last=False)
            self._size -= len(mask) + len(oldest)
        return excluded


def _meets(target: str, features: Features | None, rule: Mapping[str, Any], path: str) -> Bools:
    """Return the ids that have the attribute and meet the condition: bool[N]."""
    name = rule["column"]
    types = {} if features is None else features.types
    if features is None or name not in types:
        declared = did_you_mean(name, types) if types else f"{target} have no attributes"
        raise RequestProblem(f"{path}.column", f"unknown attribute '{name}': {declared}")
    stated = f"{path}.{'in' if 'in' in rule else 'is'}"
    values = rule["in"] if "in" in rule else [rule["is"]] if "is" in rule else None
    if types[name] == "category":
        if values is None:
            raise RequestProblem(f"{path}.from", f"'{name}' has categories; ask for them by `is` or `in`")
        return _in_categories(features, name, values, stated)
    column = features.columns[name]
    if values is None:
        if column.type == "flag":
            raise RequestProblem(f"{path}.from", f"'{name}' is a flag; ask for it by `is`: true or false")
        low, high = rule.get("from", -np.inf), rule.get("to", np.inf)
        return np.asarray((column.values >= low) & (column.values <= high))
    return _equal(column, name, values, stated)


def _in_categories(features: Features, name: str, values: Sequence[Any], path: str) -> Bools:
    """Return the rows that have any of these categories: bool[N]; nothing has a category that does not exist."""
    column = features.columns.get(name)
    labelled = column is None
    if column is None:  # labels "genre:jazz" are one column for all prefixes, under the empty name
        column = features.columns[""]
    if not all(isinstance(value, str) for value in values):
        raise RequestProblem(path, f"'{name}' has categories, which are texts")
    wanted = {f"{name}:{value}" if labelled else value for value in values}
    codes = np.flatnonzero([category in wanted for category in column.categories])
    entries = np.isin(column.values.indices, codes)
    rows = np.repeat(np.arange(len(column)), np.diff(column.values.indptr))
    meets = np.zeros(len(column), bool)
    meets[rows[entries]] = True
    return meets


def _equal(column: FeatureColumn, name: str, values: Sequence[Any], path: str) -> Bools:
    """Return the rows whose value is any of these: bool[N]."""
    flags = column.type == "flag"
    right = "true or false" if flags else "a number" if column.type == "number" else "seconds since 1970"
    for value in values:
        if isinstance(value, bool) != flags or not isinstance(value, (bool, int, float)):
            raise RequestProblem(path, f"'{name}': {value!r} is not {right}")
    return np.isin(column.values, np.array(values, column.values.dtype))
