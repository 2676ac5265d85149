"""Registration of the generator `markov` with hybridrec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component

requires_api = "1.0"


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Return the components of this package, imported only here so that listing plugins stays fast."""
    from hybridrec_markov.generator import Markov

    return [Markov]
