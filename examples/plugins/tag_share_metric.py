"""`tag-share`: measures how much of each slate has a certain tag, to hold a promise such as one new band in five."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import PADDING, DataError, Doubles, EvalBatch, Metric, Options


class TagShareOptions(Options):
    """Options of `tag-share`."""

    tag: str
    """Id of the tag, or of another entity."""
    kind: str = "tags"
    """The kind that it belongs to."""
    aim: float = Field(1.0, gt=0, le=1)
    """Share from which on a slate has enough of it: the metric is then 1."""


class TagShare(Metric):
    """The share of the places whose item has the tag, relative to what is aimed at."""

    name = "tag-share"
    Config = TagShareOptions
    config: TagShareOptions

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Return the share for each query, NaN for an empty slate; raises DataError for an unknown tag."""
        if eval_batch.target != "items":
            raise DataError(f"metric tag-share: measures items, not {eval_batch.target}")
        tags = eval_batch.train.vocabulary(self.config.kind)
        code = tags.encode_known([self.config.tag], f"metric tag-share: {self.config.kind}")[0]
        has = eval_batch.train.item_matrix(self.config.kind)[:, [code]].toarray().ravel() > 0
        shown = eval_batch.ids[:, :k] != PADDING
        places = shown.sum(axis=1)
        shares = (has[eval_batch.ids[:, :k]] & shown).sum(axis=1) / np.maximum(places, 1)
        return np.where(places > 0, np.minimum(shares / self.config.aim, 1.0), np.nan)
