"""Users and items as sums of their features, learned by LightFM: `lightfm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`lightfm`."""
    from hybridrec_lightfm.factorization import LightFM

    return [LightFM]
