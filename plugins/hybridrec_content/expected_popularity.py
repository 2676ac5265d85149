"""`content-popularity`: expects an item's popularity from its content; it serves every query, and cold items."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, hstack

from hybridrec import DataError, Dataset, DenseModel, Doubles, Floats, Options, QueryBatch, Sparse, State, Target
from hybridrec_content.blocks import Kind, block


class ContentPopularityOptions(Options):
    """Options of `content-popularity`: the content that explains popularity, and the penalty on its effects."""

    kinds: tuple[Kind, ...] = ("tags", "features")
    """Kinds of content to read: `tags`, `features`, words of the `text`, dense `vectors`. Words are numerous and say
    little about popularity."""
    pairs: bool = True
    """Treat each pair of tags (or of features) that an item has as one more tag (or feature)."""
    time_steps: int = Field(16, ge=0)
    """Number of groups of equal size into which the items are divided by time; each has an effect on all items from its
    start on. 0 ignores times."""
    min_items: int = Field(5, ge=1)
    """Smallest number of items that have a tag, feature, word or pair; rarer ones are left out."""
    l2: float = Field(30.0, ge=1e-9, le=1e12)
    """Penalty on the squared effects: large values keep them small."""


class ContentPopularity(DenseModel):
    """Poisson regression of the number of an item's users on its content.

    The number of training users who have item i is modelled as Poisson with mean exp(a + x_i b), where x_i has a 1
    for each tag, feature, word and pair that the item has, and for each step of time that it does not precede (so
    neighbouring times have similar effects). a and b minimize

        sum over items with users of exp(a + x_i b) - n_i (a + x_i b)  +  l2 / 2 |b|^2

    The score is a + x_i b, for warm and cold items alike, the same for every query; items without any content get no
    opinion. Items without users are left out of the sum, not taken for unpopular: they may not have been seen yet.
    """

    name = "content-popularity"
    targets = ("items",)
    Config = ContentPopularityOptions
    config: ContentPopularityOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Fit the regression and return self; raises DataError if no item has both users and content."""
        content = self._content(data)
        users = data.interactions.matrix(binary=True).getnnz(axis=0).astype(np.float64)
        described = np.diff(content.indptr) > 0
        trainable = described & (users > 0)
        if not trainable.any():
            raise DataError(
                f"content-popularity: none of the {len(users)} items has both users and content ({self._names()})"
            )
        effects = _poisson(content[trainable], users[trainable], self.config.l2)
        self._scores = np.where(described, content @ effects[1:] + effects[0], np.nan).astype(np.float32)
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the content with its pairs, held twice, and of the optimizer's memory."""
        content = self._content(data)
        return 2 * 12 * content.nnz + 8 * 25 * content.shape[1]

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the same row of scores for every query: float32 [Q, I]."""
        return np.tile(self._scores, (len(queries), 1))

    def state(self) -> State:
        """Return the score of each item, the same for all queries."""
        return {"items": self._scores}

    def restore(self, state: State) -> Self:
        """Take the scores of the items from `state`; return self."""
        self._scores = state["items"]
        return self

    def _content(self, data: Dataset) -> Sparse:
        """Build the explanatory variables of each item: csr float64 [I, D]."""
        blocks = [_steps(data.items.times, len(data.items), self.config.time_steps)]
        for kind in self.config.kinds:
            content = block(data, kind)
            if kind == "vectors":
                blocks.append(content)
                continue
            content = _common(content.sign(), self.config.min_items)
            blocks.append(content)
            if self.config.pairs and kind in ("tags", "features"):
                blocks.append(_pairs(content, self.config.min_items))
        return hstack(blocks, format="csr", dtype=np.float64)

    def _names(self) -> str:
        return ", ".join((*self.config.kinds, *(("times",) if self.config.time_steps else ())))


def _poisson(content: Sparse, counts: Doubles, l2: float) -> Doubles:
    """Fit intercept and effects, float64 [1 + D], of a Poisson regression with the logarithm as link."""
    from scipy.optimize import minimize

    transposed = content.T.tocsr()

    def loss(effects: Doubles) -> tuple[float, Doubles]:
        linear = content @ effects[1:] + effects[0]
        # A prediction beyond 1e13 users is a diverging step of the optimizer; exp must not overflow there.
        mean = np.exp(np.minimum(linear, 30))
        excess = mean - counts
        gradient = np.concatenate(([excess.sum()], transposed @ excess + l2 * effects[1:]))
        return float(mean.sum() - counts @ linear + l2 / 2 * (effects[1:] @ effects[1:])), gradient

    start = np.zeros(1 + content.shape[1])
    start[0] = np.log(counts.mean())
    coefficients: Doubles = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return coefficients


def _steps(times: Doubles | None, n_items: int, steps: int) -> Sparse:
    """Build csr [I, S] with a 1 for each quantile of time that an item does not precede; empty rows without a time."""
    if times is None or not steps or np.isnan(times).all():
        return csr_matrix((n_items, 0), dtype=np.float32)
    starts = np.unique(np.nanquantile(times, np.arange(steps) / steps, method="lower"))
    return csr_matrix(times[:, None] >= starts, dtype=np.float32)


def _common(content: Sparse, min_items: int) -> Sparse:
    """Return the columns with at least `min_items` entries."""
    return content[:, content.getnnz(axis=0) >= min_items]


def _pairs(content: Sparse, min_items: int) -> Sparse:
    """Build csr [I, P] with a 1 for each pair of columns of csr [I, D] of which an item has both.

    Pairs that fewer than `min_items` items have are left out.
    """
    together = (content.T @ content).tocoo()
    enough = (together.row < together.col) & (together.data >= min_items)
    columns = content.tocsc()
    return columns[:, together.row[enough]].multiply(columns[:, together.col[enough]]).tocsr()
