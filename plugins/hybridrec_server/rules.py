"""Filters of requests, evaluated for all ids at once; what the same filters exclude is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from hybridrec import AttributeIndex, Bools, Features, FilterError
from hybridrec_server.protocols import RequestProblem

_MEMORY = 1 << 24
"""The most bytes of masks that are kept, as the same filters return in many requests."""


class Rules:
    """The filters of requests, on the attributes that the data declare."""

    def __init__(self, features: Mapping[str, Features | None]) -> None:
        """Take for each target the features with its attributes, None for a target without any."""
        self._indexes = {target: AttributeIndex(each, target) for target, each in features.items()}
        self._masks: OrderedDict[bytes, Bools] = OrderedDict()
        self._size = 0

    def excluded(self, target: str, filters: Sequence[Mapping[str, Any]]) -> Bools:
        """Return the ids of the target that do not meet all filters, at least one: bool[N].

        Each filter has the stated keys of a `FilterRule`. Raises RequestProblem for an attribute that the target does
        not have, and for a value of another type.
        """
        key = orjson.dumps([target, filters])
        if key in self._masks:
            self._masks.move_to_end(key)
            return self._masks[key]
        try:
            excluded = self._indexes[target].excluded(filters)
        except FilterError as error:
            raise RequestProblem(error.path, str(error)) from None
        excluded.flags.writeable = False
        self._masks[key] = excluded
        self._size += len(excluded) + len(key)
        while self._size > _MEMORY and len(self._masks) > 1:
            oldest, mask = self._masks.popitem(last=False)
            self._size -= len(mask) + len(oldest)
        return excluded
