"""Fusion: re-rankers that turn the columns of a pool into one final score."""

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Fixed weights, reciprocal ranks, and weights learned on validation queries."""
    from hybridrec_fusion.fixed import ReciprocalRank, Weighted
    from hybridrec_fusion.validated import Validated

    return [Weighted, ReciprocalRank, Validated]
