"""Lists made while a bundle is loaded, from which the front answers when no worker can: no plugin runs for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, islice
from typing import Any

import orjson

from hybridrec import Features
from hybridrec_server.cursors import cursor
from hybridrec_server.protocols import ServedAnswer
from hybridrec_server.rules import Rules
from hybridrec_server.schemas import RecommendRequest

SOURCE = "precomputed"
"""The name of these lists in `served_by`."""
_NOTHING: Mapping[str, list[str]] = {"ids": [], "titles": []}
"""The list of a target that the bundle does not have: that of another generation had it."""


class PrecomputedLists:
    """The list of each target of a bundle, with the attributes of its ids."""

    def __init__(self, catalogue: Mapping[str, Any], attributes: Mapping[str, Features | None]) -> None:
        """Take the catalogue of a worker, and for each target the features of the ids of its list."""
        self._bundle: str = catalogue.get("bundle", "")
        self._lists: Mapping[str, Mapping[str, list[str]]] = catalogue.get("spare", {})
        self._rules = Rules(attributes)

    def answer(
        self,
        request: RecommendRequest,
        pipeline: str,
        target: str,
        n: int,
        shown: Sequence[str],
        played: Iterable[str],
        reason: str,
    ) -> ServedAnswer:
        """Return a degraded answer; `shown` are the ids of earlier pages, `played` the items of recent events.

        Pinned ids come first; nothing follows that the request states, blocks or filters out. Raises RequestProblem for
        a filter by an attribute that the target does not have.
        """
        barred = {*request.blocked, *shown}
        pinned = [name for name in dict.fromkeys(request.pinned) if name not in barred]
        barred.update(pinned)
        if target == "items":
            barred.update(request.items, request.disliked, played)
        else:
            barred.update(request.entities.get(target, ()), request.tags if target == "tags" else ())
        free = max(n - len(pinned), 0)
        listed = islice((place for place in self._meeting(request, target) if place[0] not in barred), free)
        places = [*((name, name) for name in pinned[:n]), *listed]
        body = {
            "request": request.id,
            "pipeline": pipeline,
            "bundle": self._bundle,
            "target": target,
            "served_by": SOURCE,
            "degraded": True,
            "items": [
                {"place": place, "id": name, "title": title, "score": None}
                for place, (name, title) in enumerate(places, start=1)
            ],
            "next": cursor([*shown, *(name for name, _ in places)]) if len(places) == n else None,
            "warnings": [{"code": "degraded", "path": "", "message": f"the answer is a precomputed list ({reason})"}],
        }
        return ServedAnswer(orjson.dumps(body), request.id or "", pipeline, self._bundle, SOURCE, degraded=True)

    def _meeting(self, request: RecommendRequest, target: str) -> Iterable[tuple[str, str]]:
        """Return the ids and titles of the list that meet the filters of the request."""
        content = self._lists.get(target, _NOTHING)
        places = zip(content["ids"], content["titles"], strict=True)
        if not request.filters or not content["ids"]:
            return places
        filters = [rule.model_dump(exclude_defaults=True, by_alias=True) for rule in request.filters]
        return compress(places, ~self._rules.excluded(target, filters))
