"""Matrix factorization and item neighbours, mostly from the `implicit` library: `als`, `bpr`, `item-knn`, `wmf`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component, DataProfile, Starter


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`als`, `bpr`, `item-knn`, `wmf`."""
    from hybridrec_implicit.als import ALS
    from hybridrec_implicit.bpr import BPR
    from hybridrec_implicit.knn import ItemKNN
    from hybridrec_implicit.wmf import WMF

    return [ALS, BPR, ItemKNN, WMF]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose ALS, also as the control, and item neighbours: both grow only with the interactions."""
    from hybridrec import Starter

    return [
        Starter("als", frozenset({"control", "generator", "scorer"}), {"factors": 64}, priority=100),
        Starter("item-knn", frozenset({"generator", "scorer"}), priority=90),
    ]
