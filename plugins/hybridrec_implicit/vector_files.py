"""`vectors`: vectors of items and users that any trainer has learned, from files; other users are folded in here."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from hybridrec import (
    ITEMS,
    PADDING,
    USERS,
    DataError,
    Dataset,
    Floats,
    Ints,
    ItemVectors,
    QueryBatch,
    Ragged,
    SimilarityOptions,
    Sparse,
    State,
    Target,
    Vocabulary,
    filled,
    make_csr,
    text_files,
)
from hybridrec_implicit.least_squares import LeastSquares, principal_axes
from hybridrec_implicit.other_similarity import Factorization


class VectorFile(ItemVectors):
    """A file or folder of ids and their vectors."""

    digest: str = ""
    """Digest of the files, computed when the config is read, so that changed files make another fit. One that is stated
    counts only if the files are gone, as where a bundle is served."""

    @field_validator("path", mode="after")
    @classmethod
    def _on_this_machine(cls, path: Path) -> Path:
        # The digest could not see changes of what a pattern, an address or a frame stands for.
        pattern = any(character in str(path) for character in "*?[") and not path.exists()
        if pattern or ":/" in str(path) or str(path).startswith("frame:"):
            raise ValueError("the vectors of a component are in a file or in a folder of files on this machine")
        return path

    @model_validator(mode="after")
    def _with_digest(self) -> Self:
        if self.join is not None:
            raise ValueError("the vectors of a component are in one table: leave `join` out")
        try:
            object.__setattr__(self, "digest", digest_of(self))
        except (OSError, DataError) as error:
            if not self.digest:
                reason = f"{self.path}: {error.strerror}" if isinstance(error, OSError) else str(error)
                raise ValueError(f"the vectors cannot be read: {reason}") from None
        return self


class VectorFilesOptions(SimilarityOptions):
    """Options of `vectors`: the files, and the way in which users who are not in them get a vector."""

    items: VectorFile = Field(examples=[{"path": "items.parquet"}])
    """Vectors of items; an item without one is never recommended."""
    users: VectorFile | None = Field(None, examples=[{"path": "users.parquet"}])
    """Vectors of users, for queries with exactly the items that the user has in the training part. All others are
    folded in, and so is everybody without this file."""
    fold_in: Literal["least-squares", "mean"] = "least-squares"
    """Vector of a user who is folded in: the least-squares solution of ALS for the items of the query, or the mean of
    their vectors."""
    weighted: bool = False
    """The value r of an item is the weight of the interaction (plays, a rating), else 1."""
    feedback: Literal["implicit", "explicit"] = "implicit"
    """For least squares: implicit minimizes (1 - u·v)² over the items of the query with the confidence 1 + alpha r, and
    (u·v)² over all others with 1; explicit minimizes (r - u·v)² over the items of the query alone."""
    alpha: float = Field(1.0, gt=0)
    """Confidence in a value r of implicit feedback is 1 + alpha r."""
    regularization: float = Field(0.1, ge=1e-9, le=1e12)
    """For least squares: value added to the diagonal of each problem."""
    per_item: bool = True
    """The regularization is multiplied by the number of items in the query, as Spark's ALS does."""


class VectorFiles(Factorization):
    """Vectors of any trainer, such as Spark's ALS: the score of an item is its inner product with the user.

    The vector of a user from the file answers queries that contain exactly the items that the user has in the training
    part, in any order; a query with other items gets a vector of its own, so that new users and new events need no new
    training. With the settings of the trainer's ALS the vector that is folded in is the trainer's: x solves
    (Y'Y + Σ alpha r y y' + λ n I) x = Σ (1 + alpha r) y over the n items of the query (Hu, Koren and Volinsky 2008,
    with the regularization of Zhou et al. 2008).

    The vectors have to be trained on the training part alone: `hybridrec export RUN --format split` writes it. Vectors
    that have seen what a split hides get better figures than they deserve. Validation queries are inside the training
    part, and so are the test queries of the other folds of several: `--validation`, and blends that learn, trust the
    vectors too much there, unless they were trained without these queries.
    """

    name = "vectors"
    targets = (ITEMS,)
    folds_in = True
    Config = VectorFilesOptions
    config: VectorFilesOptions

    def __init__(self, config: VectorFilesOptions | None = None) -> None:
        super().__init__(config)
        self.needs = frozenset({ITEMS} if self.config.users is None else {ITEMS, "user"})

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Read the files; return self.

        Raises DataError for a file that cannot be read, has an id twice or none that the data has, or vectors of
        another length than the other file.
        """
        config = self.config
        items = _read(config.items, data.items.vocabulary, ITEMS)
        users = np.empty((0, items.shape[1]), np.float32)
        if config.users is not None:
            users = _read(config.users, data.users.vocabulary, USERS)
            if users.shape[1] != items.shape[1]:
                lengths = f"{users.shape[1]} numbers, and {items.shape[1]} in {config.items.path}"
                raise DataError(f"{config.users.path}: vectors have {lengths}; right is the same number")
        columns = np.nan_to_num(items)
        unobserved = 1.0 if config.feedback == "implicit" else 0.0
        spread, axes = principal_axes(columns, unobserved if config.fold_in == "least-squares" else 0.0)
        # A mark for each item: the sum over a set of items tells it from others but for one chance in 2^64.
        marks = np.random.default_rng(0).integers(2**64, size=len(items), dtype=np.uint64)
        return self.restore(
            {
                "items": np.asarray(items.astype(np.float64) @ axes, np.float32),
                "users": np.asarray(users.astype(np.float64) @ axes, np.float32),
                "spread": spread,
                "marks": marks,
                "histories": _sums(data.interactions, marks) if len(users) else np.empty(0, np.uint64),
            }
        )

    def state(self) -> State:
        """Return the vectors and what recognises the histories of users.

        items, users: float32 [I, D] and [U, D] (or [0, D]) in the axes in which Y'Y is diagonal, NaN without a vector
        spread: float64 [D], the eigenvalues of Y'Y
        marks: uint64 [I], a random number for each item
        histories: uint64 [U], the sum of the marks of the items that the user has in the training part
        """
        return self._state

    def restore(self, state: State) -> Self:
        """Take the arrays from `state`; return self."""
        self._state = state
        self._has_vector = ~np.isnan(state["items"][:, 0])
        self._squares = LeastSquares(state["spread"], state["items"])
        self._places = self.config.places(state["items"])
        return self

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of items scaled for `similarity`: float32 [I, D], 2 wider for `euclidean`."""
        return self._places

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`; NaN without an item that has a vector."""
        rows = self._as_trained(queries)
        others = np.delete(np.arange(len(queries)), rows)
        vectors = np.empty((len(queries), self._state["users"].shape[1]), np.float32)
        vectors[rows] = self._state["users"][queries.users[rows]]
        vectors[others] = self._folded_in(queries.history.take(others))
        return self.config.probes(vectors)

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of both tables, three times, from the sizes of their files."""
        tables = [self.config.items] if self.config.users is None else [self.config.items, self.config.users]
        files = (each.path for table in tables for each in table.parts)
        return 3 * sum(file.stat().st_size for file in files if file.exists())

    def _as_trained(self, queries: QueryBatch) -> NDArray[np.intp]:
        """Return the rows of queries of users who have a vector, and in the query the items of the training part."""
        users, histories = self._state["users"], self._state["histories"]
        rows = np.flatnonzero((queries.users != PADDING) & (queries.users < len(users)))
        asked = queries.users[rows]
        sums = _sums(queries.history.take(rows), self._state["marks"])
        return rows[(sums == histories[asked]) & (sums != 0) & ~np.isnan(users[asked, 0])]

    def _folded_in(self, history: Ragged) -> Floats:
        """Return the vectors of users with these items: float32 [Q, D]."""
        entries = self._entries(history)
        lengths = np.diff(entries.indptr)
        if self.config.fold_in == "mean":
            columns = np.where(self._has_vector[:, None], self._state["items"], np.float32(0))
            sums = np.asarray(entries.sum(axis=1)).ravel()
            vectors = np.asarray(entries @ columns / np.where(sums > 0, sums, 1)[:, None], np.float32)
        else:
            values = entries.data
            implicit = self.config.feedback == "implicit"
            excess = np.float32(self.config.alpha) * values if implicit else np.ones_like(values)
            wanted = filled(entries, 1)
            wanted.data = 1 + excess if implicit else values
            ridge = self.config.regularization * (lengths if self.config.per_item else np.ones_like(lengths))
            ridge = np.maximum(ridge, self.config.regularization)  # rows without items, which are not solved
            vectors = np.asarray(self._squares.solve(wanted, excess, ridge), np.float32)
        vectors[lengths == 0] = np.nan
        return vectors

    def _entries(self, history: Ragged) -> Sparse:
        """Return the values of the items that have a vector, csr float32 [Q, I], each item once."""
        matrix = history.matrix(binary=not self.config.weighted)
        kept = self._has_vector[matrix.indices] & (matrix.data > 0)
        ends = np.concatenate(([0], np.cumsum(kept)))[matrix.indptr]
        return make_csr(matrix.data[kept], matrix.indices[kept], ends, matrix.shape)


def _read(source: VectorFile, vocabulary: Vocabulary, kind: str) -> Floats:
    """Read the vectors of a kind: float32 [N, D], NaN for ids of the vocabulary without one; others are left out."""
    ids, vectors = source.read(text_files.BadLines(strict=True, option=False))
    if digest_of(source) != source.digest:  # the fit would be kept under the key of other vectors
        raise DataError(f"{source.path} changed while it was read: run it again when nobody writes to it")
    codes: Ints = vocabulary.encode(ids)
    kept = codes != PADDING
    if not kept.any():
        shown = f" (the first is {ids[0]!r})" if len(ids) else ""
        raise DataError(f"{source.path}: none of its ids{shown} is one of the {kind} of the data")
    if len(np.unique(codes[kept])) < np.count_nonzero(kept):
        repeated = int(np.argmax(np.bincount(codes[kept])))
        raise DataError(f"{source.path}: the id {vocabulary.ids[repeated]!r} has several vectors; right is one")
    result = np.full((len(vocabulary), vectors.shape[1]), np.nan, np.float32)
    result[codes[kept]] = vectors[kept]
    return result


def _sums(history: Ragged, marks: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the sum of the marks of the distinct items of each row, modulo 2^64: uint64 [rows]; 0 without items."""
    matrix = history.matrix(binary=True)
    sums = np.zeros(matrix.shape[0], np.uint64)
    rows = np.flatnonzero(np.diff(matrix.indptr))
    if len(rows):
        sums[rows] = np.add.reduceat(marks[matrix.indices], matrix.indptr[rows])
    return sums


def digest_of(table: VectorFile) -> str:
    """Return the digest of the files of a table; raises OSError or DataError if they cannot be read."""
    digest = blake2b(digest_size=16)
    for each in table.parts:
        digest.update(f"{each.path.relative_to(table.path)}\0{each.path.stat().st_size}\0".encode())
        with each.path.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
