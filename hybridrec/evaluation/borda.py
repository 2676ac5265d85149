"""One ranking of the arms over several metrics, as in the RecSys Challenge 2018."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from hybridrec.evaluation.report import PipelineReport


def borda_points(
    arms: Mapping[str, PipelineReport], metrics: Sequence[str], lower_is_better: Collection[str] = ()
) -> dict[str, float]:
    """Return Borda points by arm: per metric, over all queries, the best of A arms gets A, the next A - 1, the last 1.

    Arms with equal values share the points of their places evenly; an arm without a value ranks behind all that
    have one. Points are summed over metrics; without metrics the result is empty.
    """
    if not metrics:
        return {}
    by_arm = ([arm.metrics[metric].mean for metric in metrics] for arm in arms.values())
    means = [[np.nan if mean is None else mean for mean in row] for row in by_arm]
    signs = [-1.0 if metric in lower_is_better else 1.0 for metric in metrics]
    values = np.nan_to_num(np.array(means) * signs, nan=-np.inf)
    beaten = (values[:, None] > values).sum(axis=1)
    equal = (values[:, None] == values).sum(axis=1)
    return dict(zip(arms, (beaten + (equal + 1) / 2).sum(axis=1).tolist(), strict=True))
