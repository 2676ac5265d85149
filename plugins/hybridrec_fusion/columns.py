"""Columns of different models on one scale, and what stands in for a missing opinion."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from hybridrec import Floats, Normaliser, Pool

Missing: TypeAlias = Literal["lowest", "mean"]


def normalised(pool: Pool, normaliser: Normaliser, missing: Missing) -> dict[str, Floats]:
    """Every column on a common scale, row by row: label -> float32 [Q, K] without NaN.

    A candidate without an opinion gets the lowest (or the mean) normalised value that the same model
    gave in the same row, never a value of another model; a row without any opinion is all 0, so that
    the model does not move it.
    """
    return {label: _filled(normaliser.scale(values), missing) for label, values in pool.columns.items()}


def total(pool: Pool, parts: dict[str, Floats]) -> Floats:
    """Sum of the parts, float32 [Q, K]; 0 without any."""
    final = np.zeros(pool.ids.shape, np.float32)
    for part in parts.values():
        final += part
    return final


def _filled(values: Floats, missing: Missing) -> Floats:
    unknown = np.isnan(values)
    if missing == "lowest":
        fill = np.fmin.reduce(values, axis=1, keepdims=True, initial=np.inf)
    else:
        sums = values.sum(axis=1, keepdims=True, where=~unknown, dtype=np.float64)
        fill = sums / np.maximum((~unknown).sum(axis=1, keepdims=True), 1)
    fill[unknown.all(axis=1)] = 0
    return np.where(unknown, fill, values).astype(np.float32, copy=False)
