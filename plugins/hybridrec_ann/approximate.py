"""`approximate`: scans compressed vectors of a vector model for candidates, and scores the best of them exactly."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    PADDING,
    Candidates,
    ComponentRef,
    DataError,
    Dataset,
    Embedding,
    Exclude,
    Floats,
    Ints,
    Options,
    QueryBatch,
    State,
    Target,
    VectorModel,
    kernels,
)
from hybridrec_ann.codes import CENTROIDS, INSTALL_HINT, Codes

_DEPTH = 100
"""Length of the exact ranking against which recall is measured."""
_QUERIES = 512
"""Number of queries in a search, which bounds memory."""


class ApproximateOptions(Options):
    """Options of `approximate`: the vectors to search, the effort of the search, and the recall that it must reach."""

    uses: Annotated[str, ComponentRef(VectorModel)] = Field(examples=["als"])
    """Label of the component whose vectors are searched, such as `als`, `word2vec` or `lightfm`."""
    expansion: int = Field(4, ge=1)
    """Number of candidates that the scan retrieves and scores exactly, as a multiple of the number asked for."""
    probes: float = Field(1.0, gt=0, le=1)
    """Share of the cells of the space that are scanned for each query, nearest first; 1 scans all codes, without cells.
    With less than 1 the search is faster if vectors form clusters, as those of a factorization do."""
    recall: float = Field(0.95, gt=0, le=1)
    """Smallest acceptable recall of the first 100 of an exact search; a fit that reaches less is refused."""
    sample: int = Field(500, ge=1)
    """Number of training users, drawn at random, on whom recall is measured."""


class Approximate(VectorModel):
    """Top-k by inner product over the vectors of another component, without computing all products.

    A scan over codes of 4 bits per dimension (see Codes) retrieves `expansion` times k candidates; excluded ones are
    dropped, and the rest are ranked by their exact products. Where fewer than k remain, or the scan would retrieve
    every id, the search is exact. Scores are those of the component itself.

    Fitting compares the results with an exact search for `sample` training users, each without the items already in
    the history; the report notes the recall.
    """

    name = "approximate"
    version = "2"
    Config = ApproximateOptions
    config: ApproximateOptions
    requires = ("faiss",)
    install_hint = INSTALL_HINT

    _model: VectorModel

    def use(self, model: VectorModel) -> Self:
        """Take the component whose vectors are searched, and take over its `targets`, `needs` and `folds_in`."""
        self._model = model
        self.targets, self.needs, self.folds_in = model.targets, model.needs, model.folds_in
        return self

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn the codes and measure the recall; return self.

        Raises DataError if the recall is below the option `recall`.
        """
        seed = int(rng.integers(2**31))
        share = self.config.probes
        vectors = self._searchable(data)
        self._codes = {target: Codes.of(searchable, share, seed) for target, searchable in vectors.items()}
        users = rng.permutation(np.flatnonzero(data.interactions.lengths))[: self.config.sample]
        sample = data.queries(np.sort(users).astype(np.int32))
        self._recall = np.array([self._measured(sample, target) for target in self._known])
        for target, recall in zip(self._known, self._recall, strict=True):
            if recall < self.config.recall:
                raise DataError(
                    f"approximate finds {recall:.3f} of the first {_DEPTH} {target} that an exact search of "
                    f"'{self.config.uses}' finds, `recall` asks for {self.config.recall:g}: raise `expansion` "
                    f"({self.config.expansion}) or `probes` ({self.config.probes:g}), or search exactly with "
                    f"'{self.config.uses}' itself"
                )
        return self

    def _searchable(self, data: Dataset) -> dict[Target, Floats]:
        """Return target -> vectors, float32 [n, D], for targets that have enough of them to learn codes from.

        Also sets `_known`: target -> ids that have a vector.
        """
        self._known = {
            target: _complete(self._model.vectors(target)) for target in data.targets if self.recommends(target)
        }
        return {
            target: np.ascontiguousarray(self._model.vectors(target)[ids])
            for target, ids in self._known.items()
            if len(ids) >= CENTROIDS
        }

    def _measured(self, queries: QueryBatch, target: Target) -> float:
        """Return the recall of the first 100 ids of an exact search for these queries; 1 if that finds nothing."""
        rows = queries.matrix(target)
        exact = super().candidates(queries, _DEPTH, target, Exclude(rows)).ids
        retrieved = self.candidates(queries, _DEPTH, target, Exclude(rows)).ids
        width = len(self._model.vectors(target))
        pairs = [ids + np.arange(len(ids))[:, None] * width for ids in (exact, retrieved)]
        wanted = pairs[0][exact != PADDING]
        return float(np.isin(wanted, pairs[1][retrieved != PADDING]).mean()) if len(wanted) else 1.0

    def notes(self) -> list[str]:
        """Return a sentence with the measured recall for each target."""
        return [
            f"finds {recall:.3f} of the first {_DEPTH} {target} of an exact search of '{self.config.uses}'"
            for target, recall in zip(self._known, self._recall, strict=True)
        ]

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the best k of the ids that the scan retrieves; search exactly for queries that are left with fewer."""
        depth = k * self.config.expansion
        if target not in self._codes or depth >= len(self._known[target]):
            return super().candidates(queries, k, target, exclude)
        (asked, _), candidates = self.factors(queries, target), Candidates.empty(len(queries), k)
        speaking = _complete(asked)
        for start in range(0, len(speaking), _QUERIES):
            rows = speaking[start : start + _QUERIES]
            block = self._found(asked[rows], k, depth, target, exclude.take(rows))
            candidates.ids[rows], candidates.scores[rows] = block.ids, block.scores
        short = speaking[candidates.ids[speaking, -1] == PADDING]
        if len(short):
            exact = super().candidates(queries.take(short), k, target, exclude.take(short))
            candidates.ids[short], candidates.scores[short] = exact.ids, exact.scores
        return candidates

    def _found(self, asked: Floats, k: int, depth: int, target: Target, exclude: Exclude) -> Candidates:
        """Return the best k ids that are not excluded, of the `depth` ids that the scan retrieves for each query."""
        rows = self._codes[target].nearest(asked, depth)
        ids = np.where(rows < 0, np.int32(PADDING), self._known[target][rows])
        scores = kernels.gather_dot(asked, self._model.vectors(target), ids)
        scores[exclude.holds(ids)] = -np.inf
        places, best = kernels.top_k(scores, k)
        return Candidates(np.where(places == PADDING, PADDING, np.take_along_axis(ids, places, axis=1)), best)

    def state(self) -> State:
        """Return for each target the codes in faiss's format, uint8, the ids that have vectors, and the recall."""
        codes = {f"codes.{target}": codes.serialized() for target, codes in self._codes.items()}
        ids = {f"known.{target}": ids for target, ids in self._known.items()}
        return codes | ids | {"recall": self._recall, "targets": np.array(list(self._known))}

    def restore(self, state: State) -> Self:
        """Take the codes, the ids with vectors and the recall from `state`; return self."""
        self._recall = state["recall"]
        self._known = {target: state[f"known.{target}"] for target in map(str, state["targets"])}
        self._codes = {
            t: Codes.deserialized(state[f"codes.{t}"], self.config.probes) for t in self._known if f"codes.{t}" in state
        }
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of a copy of the vectors, assumed to have 128 dimensions, and of their codes."""
        return 128 * 5 * sum(map(data.size, data.targets))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the query vectors of the component that `uses` names."""
        return self._model.query_vectors(queries, target)

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of the component that `uses` names."""
        return self._model.vectors(target)

    def embeddings(self, data: Dataset) -> dict[str, Embedding]:
        """Return all vectors of the component that `uses` names."""
        return self._model.embeddings(data)


def _complete(vectors: Floats) -> Ints:
    """Return the numbers of the rows without NaN: int32, ascending."""
    return np.flatnonzero(~np.isnan(vectors).any(axis=1)).astype(np.int32)
