"""Random generators, each derived from the seed of an experiment and a label that says what it is for."""

from __future__ import annotations

import hashlib

import numpy as np


def label_rng(seed: int, label: str) -> np.random.Generator:
    """Return a random generator that depends only on the seed and the label.

    The order of the config, and what other generators have drawn, do not matter.
    """
    digest = hashlib.blake2b(label.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "little")])
