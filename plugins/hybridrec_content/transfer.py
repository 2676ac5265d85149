"""`content-transfer`: scores warm items by item neighbours, and transfers these scores to cold items by content."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from hybridrec import (
    DataError,
    Dataset,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Tokenizer,
    kernels,
    make_csr,
    pack_csr,
    unpack_csr,
)
from hybridrec_content.blocks import ContentModel, Kind
from hybridrec_content.kernel import BLOCK, ContentKernel, Time


class ContentTransferOptions(Options):
    """Options of `content-transfer`: the shares of the kinds of content in the kernel, and the regression."""

    tags: float = Field(1.0, ge=0)
    """Share of the items' tags in the kernel; 0 leaves them out."""
    features: float = Field(1.0, ge=0)
    """Share of `item_features` (artist, language, ...); 0 leaves them out."""
    text: float = Field(1.0, ge=0)
    """Share of the words of the items' texts; 0 leaves them out."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of texts."""
    vectors: float = Field(0.0, ge=0)
    """Share of `item_vectors` (for example audio); 0 leaves them out."""
    time: Time = "rank"
    """Position of items in time: the `rank` among the times of all items (from 0 to 1), or the logarithm of the `age`
    relative to the newest, which separates recent items better."""
    time_width: float = Field(0.3, ge=0)
    """Distance in time at which two items are still alike (the standard deviation of a Gaussian); 0 ignores times."""
    idf: float = Field(1.0, ge=0)
    """Power of log(I / n), the weight of a feature, tag or word; higher values favour rare ones, 0 weighs all equally.
    """
    min_items: int = Field(2, ge=1)
    """Smallest number of items that have a feature, tag or word; rarer ones are left out."""
    l2: float = Field(10.0, ge=1e-9, le=1e12)
    """Penalty of the regression: large values average over more items."""

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.features + self.tags + self.text + self.vectors + self.time_width:
            raise ValueError("one of tags, features, text, vectors and time_width must be above 0")
        return self


class ContentTransfer(ContentModel):
    """Item neighbours for warm items, and their kernel regression on content for cold ones.

    With the interactions X, csr [U, I] of ones, P(i, j) = p(j | i) = n(i, j) / n(i) for i != j is the share of the
    users of item i who have j as well. A warm item j scores (x P)_j for the history x of a query. A cold item c has no
    neighbours, so its score is the kernel ridge regression of the scores of warm items on their content, evaluated at
    the content of c:

        (x P) W    with  W = (K + l2 I)^-1 K_c

    K is the kernel (see ContentKernel) among warm items, K_c that between warm and cold ones. A cold item without
    any content gets no opinion.
    """

    name = "content-transfer"
    folds_in = True
    needs = frozenset({"items"})
    targets = ("items",)
    Config = ContentTransferOptions
    config: ContentTransferOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Solve the regression for the cold items and return self; raises DataError if there are no interactions."""
        self._rows = data.interactions.matrix(binary=True)
        counts = self._rows.getnnz(axis=0)
        kernel = self._kernel(data)
        self._warm = np.flatnonzero(counts).astype(np.int32)
        self._cold = np.flatnonzero((counts == 0) & kernel.described()).astype(np.int32)
        if not len(self._warm):
            raise DataError("content-transfer: the training part has no interactions to learn from")
        self._share = np.divide(1, counts, out=np.zeros(len(counts)), where=counts > 0).astype(np.float32)
        self._carried = np.zeros((len(self._warm), len(self._cold)), np.float32)
        if len(self._cold):
            self._carry(kernel)
        return self._arrange()

    def _arrange(self) -> Self:
        """Arrange the interactions by item, and find the items that are not warm, once for all queries; return self."""
        self._by_item = self._rows.T.tocsr()
        self._others = np.setdiff1d(np.arange(self._rows.shape[1]), self._warm)
        return self

    def _carry(self, kernel: ContentKernel) -> None:
        """Compute P W of the class's formula, float32 [warm items, cold items], and keep it.

        W is solved by Cholesky factorization. P W is computed as X' (X W) / n - W, so that the large P is never held.
        """
        from scipy.linalg import cho_factor, cho_solve

        system = kernel.matrix(self._warm, self._warm)
        system[np.diag_indices(len(system))] += np.float32(self.config.l2)
        try:
            # The transpose lets LAPACK work in place; the matrix is symmetric.
            factor = cho_factor(system.T, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise DataError(f"content-transfer: l2 {self.config.l2:g} is too small for this content") from None
        rows, share = self._rows[:, self._warm], self._share[self._warm, None]
        for start in range(0, len(self._cold), BLOCK):
            cold = self._cold[start : start + BLOCK]
            weights = cho_solve(factor, kernel.matrix(self._warm, cold), overwrite_b=True, check_finite=False)
            self._carried[:, start : start + BLOCK] = share * (rows.T @ (rows @ weights)) - weights

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the kernel of warm items, of P W, and of a block of each while it is computed."""
        warm = len(np.unique(data.interactions.ids))
        cold, users = len(data.items) - warm, len(data.users)
        return 4 * (warm * (warm + cold) + BLOCK * (4 * len(data.items) + users))

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return votes of neighbours for warm items and their regression for cold ones: float32 [Q, I].

        NaN for queries without a warm item in the history, and for cold items without content.
        """
        history = queries.matrix("items")
        warm = kernels.take_columns(history, self._warm)
        result = self._votes(history)
        result[:, self._others] = np.nan
        result[:, self._cold] = warm @ self._carried
        result[np.diff(warm.indptr) == 0] = np.nan
        return result

    def _votes(self, history: Sparse) -> Floats:
        """Compute x P = (x / n) X' X - x, float32 [Q, I], which takes less memory than P itself."""
        shares = make_csr(history.data * self._share[history.indices], history.indices, history.indptr, history.shape)
        votes = kernels.dense_product(shares @ self._by_item, self._rows)
        votes[kernels.csr_rows(history), history.indices] -= history.data
        return votes

    def state(self) -> State:
        """Return the interactions, 1 / n of each item with n users, the warm and the cold items, and P W."""
        return pack_csr(self._rows, "rows") | {
            "share": self._share,
            "warm": self._warm,
            "cold": self._cold,
            "carried": self._carried,
        }

    def restore(self, state: State) -> Self:
        """Take the interactions, the warm and cold items, and P W from `state`; return self."""
        self._rows = unpack_csr(state, "rows")
        self._share, self._warm, self._cold = state["share"], state["warm"], state["cold"]
        self._carried = state["carried"]
        return self._arrange()

    def _kernel(self, data: Dataset) -> ContentKernel:
        shares: dict[Kind, float] = {
            "tags": self.config.tags,
            "features": self.config.features,
            "text": self.config.text,
            "vectors": self.config.vectors,
        }
        options = self.config
        return ContentKernel.of(
            {kind: (share, self.block(data, kind)) for kind, share in shares.items() if share},
            data.items.times,
            idf=options.idf,
            min_items=options.min_items,
            time=options.time,
            width=options.time_width,
        )
