"""Re-rankers for a fused pool: diversity, calibration, fairness, quotas, exploration, chained in any order."""

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Re-rankers: greedy selections, rules for places, corrections of the final score, and policies that draw."""
    from hybridrec_rerank.calibration import Calibration
    from hybridrec_rerank.caps import Caps
    from hybridrec_rerank.corrections import Freshness, PopularityCorrection
    from hybridrec_rerank.dpp import DPP
    from hybridrec_rerank.epsilon_greedy import EpsilonGreedy
    from hybridrec_rerank.explore import Explore
    from hybridrec_rerank.exposure import Exposure
    from hybridrec_rerank.mmr import MMR
    from hybridrec_rerank.pinned import Pinned
    from hybridrec_rerank.plackett_luce import PlackettLuce
    from hybridrec_rerank.quotas import Quotas

    return [
        *(MMR, DPP, Calibration, Exposure, Caps),
        *(Quotas, Pinned, Explore),
        *(PopularityCorrection, Freshness),
        *(EpsilonGreedy, PlackettLuce),
    ]
