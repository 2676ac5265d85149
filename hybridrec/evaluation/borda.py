"""Borda points: rank the arms over several metrics at once, as the RecSys Challenge 2018 did."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from hybridrec.evaluation.report import PipelineReport


def borda_points(
    arms: Mapping[str, PipelineReport], metrics: Sequence[str], lower_is_better: Collection[str] = ()
) -> dict[str, float]:
    """Return the Borda points of each arm, summed over these metrics; without metrics the result is empty.

    In each metric the A arms are ranked by their means over all queries. The best arm gets A points, the next A - 1,
    and the last 1. Arms with equal means share the points of their ranks evenly. An arm without a mean ranks behind all
    arms that have one.
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
