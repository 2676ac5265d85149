"""Matrix factorisation and item neighbours from the `implicit` library: `als`, `bpr` and `item-knn`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`als`, `bpr`, `item-knn`."""
    from hybridrec_implicit.als import ALS
    from hybridrec_implicit.bpr import BPR
    from hybridrec_implicit.knn import ItemKNN

    return [ALS, BPR, ItemKNN]
