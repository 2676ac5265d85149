"""Approximate candidates from large catalogues: `approximate`, over the vectors of any component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`approximate`."""
    from hybridrec_ann.approximate import Approximate

    return [Approximate]
