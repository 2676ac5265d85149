"""Metrics of the Melon challenge and of the RecSys Challenge 2018."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import PADDING, Doubles, EvalBatch, Ints, Metric, Sparse

PAGE = 10
"""Number of songs shown at a time."""
ARTIST = "artist:"
"""Prefix of the features that name the artist of a song."""
ARTIST_CREDIT = 0.25


class MelonNdcg(Metric):
    """nDCG@k relative to the DCG of all relevant ids at the top, even if there are more than k of them.

    Kakao Arena 2020 scores 0.85 melon-ndcg@100 of the songs + 0.15 melon-ndcg@10 of the tags. `ndcg@k` divides by
    the DCG of min(k, relevant) hits; the two differ only for queries with more than k relevant ids.
    """

    name = "melon-ndcg"

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute DCG@k over the DCG of all relevant ids at the top: float64 [Q], NaN without relevant ids."""
        relevant = eval_batch.relevant
        discounts = 1 / np.log2(np.arange(2, max(k, relevant.max(initial=0)) + 2))
        hits = eval_batch.hits[:, :k]
        ideal = np.concatenate(([np.nan], np.cumsum(discounts)))[relevant]
        return np.asarray(hits @ discounts[: hits.shape[1]] / ideal, np.float64)


class ArtistRPrecision(Metric):
    """R-precision with a quarter of a hit for each correct artist: (songs + 0.25 artists) / R.

    R is the number of relevant songs, "songs" the number of relevant songs among the first R of the slate, and
    "artists" the number of distinct artists of these first R who also have a relevant song (Zamani, Schedl, Lamere and
    Chen 2019, section 3.1). The artists of an item are its features "artist:...". Slates should be at least as wide as
    the largest R.
    """

    name = "artist-r-precision"
    cut_off = False

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the R-precision of each query: float64 [Q], NaN without relevant songs."""
        relevant = eval_batch.relevant
        within = (np.arange(eval_batch.ids.shape[1]) < relevant[:, None]) & (eval_batch.ids != PADDING)
        songs = (eval_batch.hits & within).sum(axis=1)
        values = (songs + ARTIST_CREDIT * _shared_artists(eval_batch, within)) / np.maximum(relevant, 1)
        return np.where(relevant > 0, values, np.nan)


def _shared_artists(eval_batch: EvalBatch, within: np.ndarray) -> Ints:
    """Return the number of artists in each slate who also have a relevant item: int32 [Q].

    Artists are those of the items at places where `within`, bool [Q, n], is true; each counts once.
    """
    features = eval_batch.train.items.features
    names = [] if features is None or eval_batch.target != "items" else features.names
    artists = [column for column, name in enumerate(names) if name.startswith(ARTIST)]
    if features is None or not artists:
        return np.zeros(len(eval_batch.ids), np.int32)
    rows = np.nonzero(within)[0]
    picked = csr_matrix((np.ones(len(rows), np.float32), (rows, eval_batch.ids[within])), shape=eval_batch.truth.shape)
    owners: Sparse = features.matrix[:, artists]
    recommended, wanted = (((songs @ owners) > 0).astype(np.int32) for songs in (picked, eval_batch.truth))
    return np.asarray(recommended.multiply(wanted).sum(axis=1)).ravel()


class Clicks(Metric):
    """Recommended songs clicks@k: number of times ten more songs are requested until one is relevant.

    The value is (rank of the first hit - 1) // 10, and one more than the number of pages of ten (51 for k = 500) if
    none of the first k is relevant (RecSys Challenge 2018). Lower is better.
    """

    name = "clicks"
    higher_is_better = False

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Compute the number of clicks of each query: float64 [Q], NaN without relevant songs."""
        hits = eval_batch.hits[:, :k]
        first = hits.argmax(axis=1) if hits.shape[1] else np.zeros(len(hits), np.int64)
        clicks = np.where(hits.any(axis=1), first // PAGE, -(-k // PAGE) + 1)
        return np.where(eval_batch.relevant > 0, clicks, np.nan).astype(np.float64)
