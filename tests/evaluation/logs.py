"""A log of three actions whose worth is known."""

from __future__ import annotations

import numpy as np

from hybridrec.evaluation.bandit_log import BanditLog

LOGGING, TARGET = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
QUALITY = np.array([0.1, 0.3, 0.5])
TRUE, SHOWN = TARGET @ QUALITY, LOGGING @ QUALITY


def logged(seed=0, actions=6000, per_unit=3, model=1.0, target=TARGET) -> BanditLog:
    """A log whose policies do not look at who asks; the model is off by a factor."""
    source = np.random.default_rng(seed)
    drawn = source.choice(3, actions, p=LOGGING)
    return BanditLog(
        units=(np.arange(actions) // per_unit).astype(np.int32),
        reward=(source.random(actions) < QUALITY[drawn]).astype(float),
        propensity=LOGGING[drawn],
        target=target[drawn],
        predicted=model * QUALITY[drawn],
        expected=np.full(actions, model * target @ QUALITY),
    )
