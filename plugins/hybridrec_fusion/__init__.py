"""Fusion: re-rankers that turn the columns of a pool into one final score, and the scales they do it on."""

from hybridrec import Component, Normaliser, hookimpl


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Sums with fixed weights, of scores, ranks and votes; sums and trees learned on validation queries."""
    from hybridrec_fusion.fixed import Borda, CombMNZ, ReciprocalRank, Weighted
    from hybridrec_fusion.greedy import Greedy
    from hybridrec_fusion.lambdamart import LambdaMART
    from hybridrec_fusion.linear import Linear
    from hybridrec_fusion.validated import Validated

    return [Weighted, CombMNZ, Borda, ReciprocalRank, Validated, Greedy, Linear, LambdaMART]


@hookimpl
def hybridrec_normalisers() -> list[type[Normaliser]]:
    """Linear scales, scales by rank, and a distribution."""
    from hybridrec_fusion.normalisers import EmpiricalCDF, MinMax, Rank, Raw, Softmax, ZScore

    return [ZScore, MinMax, Rank, EmpiricalCDF, Softmax, Raw]
