"""Linear models: EASE, in closed form, and similarity of content."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_linear.content import Content
    from hybridrec_linear.ease import Ease

    return [Ease, Content]
