"""Estimates of the seconds that fits will take: from similar fits in the store, or else by the component itself."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import json_digest
from hybridrec.engine.store import Store
from hybridrec.secret import KEYED
from hybridrec.tracing import calling

TOOK = "took"
"""Key in the metadata of a stored fit; its value is the mapping that the function `took` returns."""
FARTHEST = 10.0
"""A stored fit is used for an estimate if the numbers of interactions differ by at most this factor."""


def took(spec: ComponentSpec, train: Dataset, seconds: float) -> dict[str, Any]:
    """Return the metadata of a fit for later estimates: a digest of its options, its interactions and its seconds."""
    return {"options": _options(spec), "interactions": len(train.interactions.ids), "seconds": round(seconds, 3)}


class FitSeconds:
    """An estimator of the seconds of fits from the fits in a store.

    Of the stored fits of the same class and options, the one with the nearest number of interactions is used. Its
    seconds are scaled in proportion to the number of interactions.
    """

    def __init__(self, store: Store) -> None:
        """Use the fits in this store, which are read once, at the first estimate."""
        self.store = store
        self._past: dict[tuple[str, str], list[tuple[int, float]]] | None = None

    def of(self, spec: ComponentSpec, train: Dataset) -> float | None:
        """Estimate the seconds of a fit by a similar stored fit, or else by the component; None if neither can tell."""
        interactions = max(1, len(train.interactions.ids))
        past = self._fits().get((spec.cls.name, _options(spec)), [])
        ratios = [(interactions / max(1, number), seconds) for number, seconds in past]
        near = [(ratio, seconds) for ratio, seconds in ratios if 1 / FARTHEST <= ratio <= FARTHEST]
        if near:
            ratio, seconds = min(near, key=lambda fit: max(fit[0], 1 / fit[0]))
            return ratio * seconds
        component = spec.create()
        with calling(component, f"while estimating the seconds of components.{spec.label}"):
            return component.seconds(train)

    def _fits(self) -> dict[tuple[str, str], list[tuple[int, float]]]:
        """Return (number of interactions, seconds) of all stored fits, by (class name, digest of options)."""
        if self._past is None:
            self._past = defaultdict(list)
            for artifact in self.store.artifacts():
                about = artifact.about
                if isinstance(told := about.get(TOOK), dict):
                    place = str(about.get("component")), str(told["options"])
                    self._past[place].append((int(told["interactions"]), float(told["seconds"])))
        return self._past


def _options(spec: ComponentSpec) -> str:
    """Return a digest of the version and the options of a component; its label does not matter."""
    return json_digest([spec.cls.version, spec.options.model_dump(mode="json", context={KEYED: True})], 8)
