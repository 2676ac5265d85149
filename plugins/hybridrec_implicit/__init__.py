"""Matrix factorisation and item neighbours, most of it from the `implicit` library: `als`, `bpr`, `item-knn`, `wmf`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`als`, `bpr`, `item-knn`, `wmf`."""
    from hybridrec_implicit.als import ALS
    from hybridrec_implicit.bpr import BPR
    from hybridrec_implicit.knn import ItemKNN
    from hybridrec_implicit.wmf import WMF

    return [ALS, BPR, ItemKNN, WMF]
