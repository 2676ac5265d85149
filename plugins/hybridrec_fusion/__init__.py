"""Fusion: re-rankers that combine the columns of a pool into one final score, and their common scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import Component, Normaliser, Starter, hookimpl

if TYPE_CHECKING:
    from hybridrec import DataProfile


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Fusions: sums of scores, ranks or votes with fixed weights; sums and trees learned on validation queries."""
    from hybridrec_fusion.fixed_weights import Borda, CombMNZ, ReciprocalRank, Weighted
    from hybridrec_fusion.greedy import Greedy
    from hybridrec_fusion.lambdamart import LambdaMART
    from hybridrec_fusion.linear import Linear
    from hybridrec_fusion.validated import Validated

    return [Weighted, CombMNZ, Borda, ReciprocalRank, Validated, Greedy, Linear, LambdaMART]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose weights per segment, learned on validation queries for the cut-off of the first metric."""
    return [Starter("validated", frozenset({"fusion"}), {"k": 10})]


@hookimpl
def hybridrec_normalisers() -> list[type[Normaliser]]:
    """Normalisers of columns: linear scales, scales by rank, and a softmax distribution."""
    from hybridrec_fusion.normalisers import EmpiricalCDF, MinMax, Rank, Raw, Softmax, ZScore

    return [ZScore, MinMax, Rank, EmpiricalCDF, Softmax, Raw]
