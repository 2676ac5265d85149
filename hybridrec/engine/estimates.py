"""Seconds that fits will take, told before any: as past fits took them, or as components estimate them."""

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
"""The key, in the metadata of a stored fit, of what `took` returns."""
FARTHEST = 10.0
"""Ratio of the numbers of interactions up to which a past fit says something about another one."""


def took(spec: ComponentSpec, train: Dataset, seconds: float) -> dict[str, Any]:
    """Return the metadata by which a stored fit tells of its time: options, number of interactions, seconds."""
    return {"options": _options(spec), "interactions": len(train.interactions.ids), "seconds": round(seconds, 3)}


class FitSeconds:
    """Estimates from the fits that a store has: a fit of the same class and options, scaled to the interactions."""

    def __init__(self, store: Store) -> None:
        """Look at the fits of this store once, when the first estimate is asked for."""
        self.store = store
        self._past: dict[tuple[str, str], list[tuple[int, float]]] | None = None

    def of(self, spec: ComponentSpec, train: Dataset) -> float | None:
        """Return the seconds of a fit, roughly; None if there was none like it and the component has no estimate."""
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
        """Return the interactions and seconds of all stored fits by class and options."""
        if self._past is None:
            self._past = defaultdict(list)
            for artifact in self.store.artifacts():
                about = artifact.about
                if isinstance(told := about.get(TOOK), dict):
                    place = str(about.get("component")), str(told["options"])
                    self._past[place].append((int(told["interactions"]), float(told["seconds"])))
        return self._past


def _options(spec: ComponentSpec) -> str:
    """Return a digest of the version and the options of a component, without its label."""
    return json_digest([spec.cls.version, spec.options.model_dump(mode="json", context={KEYED: True})], 8)
