"""`p3alpha` and `rp3beta`: scores by random walks over the graph of users and items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field
from scipy.sparse import diags, vstack

from hybridrec import Dataset, Doubles, Floats, Sparse, kernels
from hybridrec_linear.joint_columns import ColumnOptions, Columns
from hybridrec_linear.linear_model import SparseLinearModel, strongest_others

_STEPS = 1 << 24
"""Number of multiplications of the sparse product in a block, which bounds memory."""


class P3AlphaOptions(ColumnOptions):
    """Options of `p3alpha`: the power of the probabilities, and the number of neighbours that are kept."""

    alpha: float = Field(1.0, gt=0)
    """Power of each step's probability; with values below 1 unlikely steps count more."""
    neighbours: int = Field(200, ge=1)
    """Number of columns kept for each column: those that a walk from it reaches with the highest probability."""


class P3Alpha(SparseLinearModel):
    """Three steps of a random walk: query to column, column to row, row to column (Cooper et al. 2014).

    A step follows an edge with a probability proportional to its value, taken to the power alpha:

        score(q, j) = sum over i, u of  P(q -> i)^alpha  P(i -> u)^alpha  P(u -> j)^alpha,   j != i

    with rows u of the training part and columns i, j. An id that no walk reaches gets no opinion.
    """

    name = "p3alpha"
    Config = P3AlphaOptions
    config: P3AlphaOptions

    def learn(self, rows: Sparse, n: int) -> None:
        """Compute the last two steps of walks from each column, and keep the columns in which they end most probably.

        `rows`, csr [R, C], is the training matrix; walks end in its first n columns.
        """
        back, forth = _steps(rows.T.tocsr(), self.config.alpha), _steps(rows, self.config.alpha)[:, :n]
        forth = forth @ diags(self.damping(rows.getnnz(axis=0)[:n]).astype(np.float32))
        k = self.config.neighbours
        blocks = [strongest_others(back[span] @ forth, k, span.start) for span in _blocks(back, forth)]
        self._weights = vstack(blocks, format="csr", dtype=np.float32)

    def damping(self, count: Doubles) -> Doubles:
        """Return a factor for the score of each column, by which a subclass holds back popular columns: float64 [n].

        `count`, float64 [n], is the number of rows of each column. Here all factors are 1.
        """
        return np.ones(len(count))

    def predict(self, values: Sparse) -> Floats:
        """Return the scores after all three steps, the first of which goes from a query to a column: float32 [Q, n]."""
        return super().predict(_steps(values, self.config.alpha))

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the rows, held three times, of a block of walks, and of the walks that are kept."""
        columns, rows = Columns.learn(data, self.config)
        steps = min(int((np.diff(rows.indptr).astype(np.float64) ** 2).sum()), _STEPS)
        return 3 * 8 * rows.nnz + 40 * steps + 2 * 8 * len(columns.ids) * self.config.neighbours

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: all walks from a column over a row to another one."""
        _, rows = Columns.learn(data, self.config)
        return 8e-8 * float((np.diff(rows.indptr).astype(np.float64) ** 2).sum())


class RP3BetaOptions(P3AlphaOptions):
    """Options of `rp3beta`: those of `p3alpha`, and a power that holds back popular items."""

    beta: float = Field(0.5, ge=0)
    """Power of the number of users by which popular items are held back; 0 is `p3alpha`."""


class RP3Beta(P3Alpha):
    """The random walk of `p3alpha`, with scores divided by the item's number of rows to the power beta.

    Paudel et al., "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive Applications" (2017).
    """

    name = "rp3beta"
    Config = RP3BetaOptions
    config: RP3BetaOptions

    def damping(self, count: Doubles) -> Doubles:
        """Return the number of rows of each column to the power -beta: float64 [n]."""
        return np.maximum(count, 1.0) ** -self.config.beta


def _steps(values: Sparse, alpha: float) -> Sparse:
    """Return the probabilities of one step, to the power alpha: csr in the shape of `values`.

    The probability of a step from a row to a column is the entry divided by the sum of its row.
    """
    steps = values.copy()
    total = np.asarray(values.sum(axis=1)).ravel()
    steps.data = (steps.data / total[kernels.csr_rows(steps)]) ** np.float32(alpha)
    return steps


def _blocks(back: Sparse, forth: Sparse) -> Iterator[slice]:
    """Yield slices of the rows of `back` whose product with `forth` takes about _STEPS multiplications each."""
    cost = np.concatenate(([0], np.cumsum(np.diff(forth.indptr)[back.indices], dtype=np.int64)))[back.indptr]
    start = 0
    while start < back.shape[0]:
        stop = max(int(np.searchsorted(cost, cost[start] + _STEPS, side="right")) - 1, start + 1)
        yield slice(start, stop)
        start = stop
