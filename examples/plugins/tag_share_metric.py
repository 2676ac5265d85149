"""`tag-share`: the share of each slate that has a tag, to check a promise such as "every fifth item is new"."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import PADDING, DataError, Doubles, EvalBatch, Metric, Options


class TagShareOptions(Options):
    """Options of `tag-share`."""

    tag: str
    """Id of the tag, or of an entity of another kind."""
    kind: str = "tags"
    """Kind of the entity `tag`."""
    aim: float = Field(1.0, gt=0, le=1)
    """Share of items with the tag at which the metric reaches 1, its largest value."""


class TagShare(Metric):
    """Share of the places whose item has the tag, relative to the option `aim`."""

    name = "tag-share"
    check_configs = ({"tag": "tag 03"}, {"tag": "tag 03", "aim": 0.2})
    Config = TagShareOptions
    config: TagShareOptions

    def values(self, eval_batch: EvalBatch, k: int) -> Doubles:
        """Return the share of each query, float64 [Q], NaN for an empty slate; raises DataError for an unknown tag."""
        if eval_batch.target != "items":
            raise DataError(f"metric tag-share: measures items, not {eval_batch.target}")
        tags = eval_batch.train.vocabulary(self.config.kind)
        code = tags.encode_known([self.config.tag], f"metric tag-share: {self.config.kind}")[0]
        has = eval_batch.train.item_matrix(self.config.kind)[:, [code]].toarray().ravel() > 0
        shown = eval_batch.ids[:, :k] != PADDING
        places = shown.sum(axis=1)
        shares = (has[eval_batch.ids[:, :k]] & shown).sum(axis=1) / np.maximum(places, 1)
        return np.where(places > 0, np.minimum(shares / self.config.aim, 1.0), np.nan)
