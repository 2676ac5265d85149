"""`lightfm`: users and items as sums of the vectors of their features, learned by LightFM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`lightfm`, a factorization of features of users and items."""
    from hybridrec_lightfm.factorization import LightFM

    return [LightFM]
