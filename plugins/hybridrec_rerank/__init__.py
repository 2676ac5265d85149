"""Re-rankers for a fused pool: diversity, caps, popularity, freshness. They are chained in any order."""

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Greedy selections, and corrections of the final score."""
    from hybridrec_rerank.caps import Caps
    from hybridrec_rerank.corrections import Freshness, PopularityCorrection
    from hybridrec_rerank.mmr import MMR

    return [MMR, Caps, PopularityCorrection, Freshness]
