"""Pure functions on interactions: transformation of weights, and k-core filtering."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from hybridrec.data.dataset import Dataset
from hybridrec.data.ragged import Ragged
from hybridrec.errors import DataError
from hybridrec.plugin import Options
from hybridrec.types import DAY, Bools, Floats, Longs


class WeightOptions(Options):
    """Steps from the values of the file (ratings, play counts) to the weights of interactions, in this order."""

    threshold: float = Field(default=0.0, ge=0)
    """Drop interactions with a smaller weight; their users and items stay in the data."""

    dislike: float | None = Field(default=None, ge=0)
    """Take interactions of at most this weight for dislikes, which are no interactions: of ratings from 1 to 5,
    `{threshold: 4, dislike: 2}` makes likes of 4 and 5, and dislikes of 1 and 2. A negative weight always means a
    dislike."""

    transform: Literal["none", "log", "binary"] = "none"
    """log: ln(1 + weight), for counts with a long tail. binary: every remaining interaction counts 1."""

    half_life: float | None = Field(default=None, gt=0)
    """Days after which an interaction counts half, relative to the newest one; by default age makes no difference."""


def split_dislikes(interactions: Ragged, options: WeightOptions) -> tuple[Ragged, Ragged | None]:
    """Return (interactions, dislikes): the interactions that are not dislikes, and the dislikes.

    The second is None if there are no dislikes. The dislikes have no weights. Raises DataError if `options` say what a
    dislike is but the data has no weights, and if a weight could be both a dislike and an interaction by `options`.
    """
    weights = interactions.weights
    if weights is None:
        if options.dislike is not None:
            raise DataError("weight.dislike needs weights, and the data has none")
        return interactions, None
    if options.dislike is not None and options.dislike >= options.threshold > 0:
        raise DataError(
            f"weight: a weight of {options.dislike:g} cannot be a dislike and, from {options.threshold:g} on, an "
            "interaction; right is a `dislike` below `threshold`"
        )
    disliked = weights < 0 if options.dislike is None else weights <= options.dislike
    if not disliked.any():
        return interactions, None
    dislikes = interactions.where(disliked)
    plain = replace(dislikes, weights=None, groups=None, context=None, gains=None, targets=None)
    return interactions.where(~disliked), plain


def weigh(interactions: Ragged, options: WeightOptions) -> Ragged:
    """Drop interactions below the threshold and transform the weights of the others.

    If the data has no weights, each interaction weighs 1. Raises DataError for a threshold on data without weights, or
    a half-life on data without times.
    """
    if options.threshold > 0:
        if interactions.weights is None:
            raise DataError("weight.threshold needs weights, and the data has none")
        interactions = interactions.where(interactions.weights >= options.threshold)
    weights = interactions.weights
    if options.transform == "binary":
        weights = None
    elif options.transform == "log" and weights is not None:
        weights = np.log1p(weights)
    if options.half_life is not None:
        weights = _decayed(interactions, weights, options.half_life)
    return replace(interactions, weights=weights)


def _decayed(interactions: Ragged, weights: Floats | None, half_life: float) -> Floats:
    """Return weight x 2^(-age / half-life) of each interaction, float32; ages are days before the newest one."""
    if interactions.times is None:
        raise DataError("weight.half_life needs times, and the data has none")
    ages = (interactions.times.max(initial=-np.inf) - interactions.times) / DAY
    factors = np.exp2(-ages / half_life)
    # A weight stays positive however old it is: 0 would mean that the interaction did not happen.
    return np.maximum(factors if weights is None else weights * factors, np.finfo(np.float32).tiny).astype(np.float32)


def k_core(data: Dataset, *, users: int = 1, items: int = 1) -> Dataset:
    """Drop interactions of rare users and items, repeatedly until all users and items that remain have enough.

    A user must have at least `users` distinct items, and an item at least `items` distinct users. Vocabularies keep
    their codes, and tag assignments of dropped interactions stay, as an item below the limit may still be described.
    If both limits are 1, `data` itself is returned.
    (Seidman 1983, "Network structure and minimum degree", on the bipartite graph.)
    """
    if users == items == 1:
        return data
    pairs, place = np.unique(data.pairs, return_inverse=True)
    pair_users, pair_items = np.divmod(pairs, max(1, len(data.items)))
    kept = np.ones(len(pairs), bool)
    while True:
        enough = kept & _frequent(pair_users, kept, users) & _frequent(pair_items, kept, items)
        if enough.sum() == kept.sum():
            return replace(data, interactions=data.interactions.where(kept[place]))
        kept = enough


def _frequent(ids: Longs, kept: Bools, least: int) -> Bools:
    """Return bool, parallel to `ids`: true if the id occurs at least `least` times among the pairs marked in `kept`."""
    return (np.bincount(ids[kept], minlength=ids.max(initial=-1) + 1) >= least)[ids]
