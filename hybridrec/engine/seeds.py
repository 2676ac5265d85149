"""Random generators derived from a seed and a label."""

from __future__ import annotations

import hashlib

import numpy as np


def label_rng(seed: int, label: str) -> np.random.Generator:
    """Return a generator that depends only on the seed and the label, not on the order of the config."""
    digest = hashlib.blake2b(label.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])
