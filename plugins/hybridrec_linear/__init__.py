"""Linear models in closed form: EASE."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_linear.ease import Ease

    return [Ease]
