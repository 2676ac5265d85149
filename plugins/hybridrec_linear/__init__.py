"""Linear item-item models, whose scores are a query's values times learned weights: EASE, SLIM and random walks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybridrec import Component, Starter, hookimpl

if TYPE_CHECKING:
    from hybridrec import DataProfile

EASE_ITEMS = 20_000
"""Largest catalogue for which `ease` is proposed; above, its items x items matrix takes gigabytes."""


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """Linear item-item models: `ease`, `p3alpha`, `rp3beta` and `slim`."""
    from hybridrec_linear.ease import Ease
    from hybridrec_linear.slim import Slim
    from hybridrec_linear.walks import P3Alpha, RP3Beta

    return [Ease, P3Alpha, RP3Beta, Slim]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose EASE for catalogues whose matrix of items fits into memory."""
    if data.items > EASE_ITEMS:
        return []
    return [Starter("ease", frozenset({"generator", "scorer"}), priority=80)]
