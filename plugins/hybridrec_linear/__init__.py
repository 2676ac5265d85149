"""Linear item-item models, whose scores are what a query knows times learned weights: EASE, SLIM and random walks."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_linear.ease import Ease
    from hybridrec_linear.slim import Slim
    from hybridrec_linear.walks import P3Alpha, RP3Beta

    return [Ease, P3Alpha, RP3Beta, Slim]
