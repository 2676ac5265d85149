"""Rescaling of scores of different models to a common scale, row by row."""

from __future__ import annotations

import numpy as np

from hybridrec.stages.kernels.topk import order
from hybridrec.types import Floats


def zscore(values: Floats) -> Floats:
    """Scale each row to mean 0 and standard deviation 1 over its non-NaN entries: float32, in the shape of `values`.

    A row whose entries are all equal becomes 0; NaN stays NaN.
    """
    is_scored = ~np.isnan(values)
    count = np.maximum(is_scored.sum(axis=1, keepdims=True), 1)
    mean = np.where(is_scored, values, 0).sum(axis=1, keepdims=True, dtype=np.float64) / count
    centred = np.where(is_scored, values - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    return np.where(is_scored, centred / np.where(spread > 0, spread, 1), np.nan).astype(np.float32)


def min_max(values: Floats) -> Floats:
    """Scale each row linearly so that its smallest entry becomes 0 and its largest 1: float32, shape of `values`.

    A row whose entries are all equal becomes 1; NaN stays NaN.
    """
    is_scored = ~np.isnan(values)
    low = np.where(is_scored, values, np.inf).min(axis=1, keepdims=True, initial=np.inf)
    high = np.where(is_scored, values, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
    width = np.where(high > low, high - low, 1)
    scaled = np.where(high > low, (values - np.where(is_scored, low, 0)) / width, 1)
    return np.where(is_scored, scaled, np.nan).astype(np.float32)


def ranks(values: Floats) -> Floats:
    """Rank the non-NaN entries of each row: float32, in the shape of `values`, 1 for the largest; NaN stays NaN.

    Of equal entries the one in the lower column comes first.
    """
    is_scored = ~np.isnan(values)
    counts = is_scored.sum(axis=1)
    width = int(counts.max(initial=0))
    filled = np.arange(width) < counts[:, None]
    # Entries move to the left, in column order, before the sort: one of many merged lists often holds a third of a row.
    packed = np.full(filled.shape, np.nan, np.float32)
    packed[filled] = values[is_scored]
    flat = order(packed) + (np.arange(len(values)) * width)[:, None]
    packed.reshape(-1)[flat] = np.arange(1, width + 1, dtype=np.float32)
    result = np.full(values.shape, np.nan, np.float32)
    result[is_scored] = packed[filled]
    return result
