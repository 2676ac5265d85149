"""`approximate`: fast, approximate candidates from large catalogues, by the vectors of any component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`approximate`, a faster search over the vectors of another component."""
    from hybridrec_ann.approximate import Approximate

    return [Approximate]
