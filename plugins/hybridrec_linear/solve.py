"""Closed form of EASE, by its primal or its dual system, whichever is smaller.

With rows X [R, C] and P = (X'X + l I)^-1, the item weights are B = I - P / diag(P), where each column of P is divided
by its entry of the diagonal, so that diag(B) = 0 (Steck, Embarrassingly shallow autoencoders for sparse data, WWW
2019). The scores of a query x are x B.

By the Woodbury identity P = (I - X'W) / l with W = (X X' + l I)^-1 X, an R x R system. With d = diag(X'W), diag(P) =
(1 - d) / l and

    x B = ((x X') W - x d) / (1 - d)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybridrec import Doubles, Floats, Sparse, State, kernels, pack_csr, unpack_csr

BLOCK = 1024
"""Number of columns held as a dense block at a time."""


@dataclass(frozen=True, slots=True)
class Primal:
    """Primal solution: B itself, for the first n columns, float32 [C, n]."""

    weights: Floats

    @classmethod
    def solve(cls, rows: Sparse, l2: float, n: int) -> Self:
        """Solve from rows, csr [R, C], for predictions of the first n columns."""
        inverse = _inverse(rows.T.tocsr(), l2)
        inverse /= -np.diag(inverse).copy()
        np.fill_diagonal(inverse, 0)
        weights = inverse[:, :n].astype(np.float32, order="C")
        return cls(weights)

    def predict(self, queries: Sparse) -> Floats:
        """Return x B for each row of csr [Q, C]: float32 [Q, n]."""
        return queries @ self.weights

    def state(self) -> State:
        """Return the weights B."""
        return {"weights": self.weights}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Rebuild the solution from the weights B in `state`."""
        return cls(state["weights"])


@dataclass(frozen=True, slots=True)
class Dual:
    """Dual solution: X', W float32 [R, n] and 1 / (1 - d) float32 [n], for the first n columns."""

    columns: Sparse
    solution: Floats
    gain: Floats

    @classmethod
    def solve(cls, rows: Sparse, l2: float, n: int) -> Self:
        """Solve from rows, csr [R, C], for predictions of the first n columns."""
        from scipy.linalg import cho_factor, cho_solve

        factor = cho_factor(_gram(rows, l2).T, lower=True, overwrite_a=True, check_finite=False)
        solution, explained = np.empty((rows.shape[0], n), np.float32), np.empty(n)
        columns = rows.tocsc()
        for start in range(0, n, BLOCK):
            block = columns[:, start : min(start + BLOCK, n)].astype(np.float64)
            solved = cho_solve(factor, block.toarray(order="F"), overwrite_b=True, check_finite=False)
            solution[:, start : start + BLOCK] = solved
            explained[start : start + BLOCK] = np.asarray(block.multiply(solved).sum(axis=0)).ravel()
        return cls(rows.T.tocsr(), solution, (1 / (1 - explained)).astype(np.float32))

    def predict(self, queries: Sparse) -> Floats:
        """Return x B for each row of csr [Q, C]: float32 [Q, n]."""
        answers = kernels.dense_product(queries, self.columns) @ self.solution
        answers *= self.gain
        predicted = queries.indices < len(self.gain)
        rows, columns = kernels.csr_rows(queries)[predicted], queries.indices[predicted]
        # x d / (1 - d) = x (gain - 1)
        answers[rows, columns] -= queries.data[predicted] * (self.gain[columns] - 1)
        return answers

    def state(self) -> State:
        """Return X', W and 1 / (1 - d)."""
        return {"solution": self.solution, "gain": self.gain} | pack_csr(self.columns, "columns")

    @classmethod
    def restore(cls, state: State) -> Self:
        """Rebuild the solution from X', W and 1 / (1 - d) in `state`."""
        return cls(unpack_csr(state, "columns"), state["solution"], state["gain"])


def solve(rows: Sparse, l2: float, n: int) -> Primal | Dual:
    """Solve the dual system if there are fewer rows than columns, else the primal one.

    rows: csr [R, C]
    n: number of leading columns that are predicted
    """
    return Dual.solve(rows, l2, n) if is_dual(rows) else Primal.solve(rows, l2, n)


def restore(state: State) -> Primal | Dual:
    """Rebuild the primal or the dual solution from its state."""
    return Dual.restore(state) if "solution" in state else Primal.restore(state)


def is_dual(rows: Sparse) -> bool:
    """Return True if there are fewer rows than columns, so that the dual system is smaller."""
    return rows.shape[0] < rows.shape[1]


def peak_bytes(rows: Sparse, n: int) -> int:
    """Estimate the peak bytes of `solve`: the float64 system, solved in place, and the float32 result."""
    size = min(rows.shape)
    block = 2 * 8 * BLOCK * (size if is_dual(rows) else rows.shape[1])
    return 8 * size**2 + 4 * size * n + block


def _gram(rows: Sparse, l2: float) -> Doubles:
    """Compute rows rows' + l2 I, float64, in blocks.

    A sparse product of this density would be larger than the dense one.
    """
    size = rows.shape[0]
    gram = np.empty((size, size))
    columns = rows.astype(np.float64).T.tocsr()
    for start in range(0, size, BLOCK):
        block = rows[start : start + BLOCK].astype(np.float64)
        gram[start : start + BLOCK] = (block @ columns).toarray()
    gram[np.diag_indices(size)] += l2
    return gram


def _inverse(rows: Sparse, l2: float) -> Doubles:
    """Compute (rows rows' + l2 I)^-1, float64, in place of the Gram matrix, by Cholesky factorization."""
    from scipy.linalg.lapack import dpotrf, dpotri

    gram: NDArray[Any] = _gram(rows, l2).T  # Fortran order, so that LAPACK needs no copy; the matrix is symmetric
    factor, failed = dpotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("the Gram matrix is not positive definite")
    inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
    for start in range(0, len(inverse), BLOCK):  # dpotri fills the lower triangle only
        here, below = slice(start, start + BLOCK), slice(start + BLOCK, None)
        inverse[here, below] = inverse[below, here].T
        inverse[here, here] = np.tril(inverse[here, here]) + np.tril(inverse[here, here], -1).T
    return inverse
