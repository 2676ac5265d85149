"""`approximate`: the candidates of a vector model from a scan of compressed vectors, the best scored exactly."""

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
    Exclude,
    Floats,
    Ints,
    Options,
    QueryBatch,
    State,
    Target,
    VectorModel,
    Vocabulary,
    kernels,
)
from hybridrec_ann.codes import CENTROIDS, INSTALL_HINT, Codes

_DEPTH = 100
"""Places of the exact search among which recall is measured."""
_QUERIES = 512
"""Queries that are searched at once, so that memory stays bounded."""


class ApproximateOptions(Options):
    """Options of `approximate`."""

    uses: Annotated[str, ComponentRef(VectorModel)] = Field(examples=["als"])
    """Label of the component whose vectors are searched, such as `als`, `word2vec` or `lightfm`."""
    expansion: int = Field(4, ge=1)
    """How many times as many candidates as are wanted the scan finds; these are scored exactly."""
    probes: float = Field(1.0, gt=0, le=1)
    """Share of the cells of the space that are scanned for each query, the nearest first; 1 scans all codes, without
    cells. Below 1 it is faster where the vectors lie in clusters, as those of a factorization do."""
    recall: float = Field(0.95, gt=0, le=1)
    """Share of the first 100 of an exact search that must be found; a fit that finds less is refused."""
    sample: int = Field(500, ge=1)
    """Training users on whom recall is measured, drawn at random."""


class Approximate(VectorModel):
    """Top-k by inner product over the vectors of another component, without computing all products.

    A scan over codes of 4 bits a dimension (see Codes) finds `expansion` times k candidates, those that are
    excluded leave, and the exact products of the others decide. Where fewer than k are left, or the scan would
    find all there are, the search is exact. Scores are those of the component itself.

    What is found is compared with an exact search when it is fitted: on the `sample` of training users, each
    without what the user has; the report notes the recall.
    """

    name = "approximate"
    version = "2"
    Config = ApproximateOptions
    config: ApproximateOptions
    requires = ("faiss",)
    install_hint = INSTALL_HINT

    _model: VectorModel

    def use(self, model: VectorModel) -> Self:
        """Search the vectors of this component, and serve what it serves."""
        self._model = model
        self.targets, self.needs, self.folds_in = model.targets, model.needs, model.folds_in
        return self

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn the codes and measure the recall; raises DataError where that is less than it has to be."""
        seed = int(rng.integers(2**31))
        share = self.config.probes
        self._codes = {target: Codes.of(vectors, share, seed) for target, vectors in self._searchable().items()}
        users = rng.permutation(np.flatnonzero(data.interactions.lengths))[: self.config.sample]
        sample = data.queries(np.sort(users).astype(np.int32))
        self._recall = np.array([self._measured(sample, target) for target in self.targets])
        for target, recall in zip(self.targets, self._recall, strict=True):
            if recall < self.config.recall:
                raise DataError(
                    f"approximate finds {recall:.3f} of the first {_DEPTH} {target} that an exact search of "
                    f"'{self.config.uses}' finds, `recall` asks for {self.config.recall:g}: raise `expansion` "
                    f"({self.config.expansion}) or `probes` ({self.config.probes:g}), or search exactly with "
                    f"'{self.config.uses}' itself"
                )
        return self

    def _searchable(self) -> dict[Target, Floats]:
        """Target -> the vectors of a search: those there are, if they are enough to learn codes from."""
        self._known = {target: _complete(self._model.vectors(target)) for target in self.targets}
        return {
            target: np.ascontiguousarray(self._model.vectors(target)[known])
            for target, known in self._known.items()
            if len(known) >= CENTROIDS
        }

    def _measured(self, queries: QueryBatch, target: Target) -> float:
        """The share of what an exact search finds; 1 where it finds nothing."""
        rows = queries.history.matrix(binary=True) if target == "items" else queries.tags
        exact = super().candidates(queries, _DEPTH, target, Exclude(rows)).ids
        found = self.candidates(queries, _DEPTH, target, Exclude(rows)).ids
        width = len(self._model.vectors(target))
        pairs = [ids + np.arange(len(ids))[:, None] * width for ids in (exact, found)]
        wanted = pairs[0][exact != PADDING]
        return float(np.isin(wanted, pairs[1][found != PADDING]).mean()) if len(wanted) else 1.0

    def notes(self) -> list[str]:
        """The measured recall."""
        return [
            f"finds {recall:.3f} of the first {_DEPTH} {target} of an exact search of '{self.config.uses}'"
            for target, recall in zip(self.targets, self._recall, strict=True)
        ]

    def candidates(self, queries: QueryBatch, k: int, target: Target, exclude: Exclude) -> Candidates:
        """The best k of what the scan finds; exact where that is too little."""
        depth = k * self.config.expansion
        if target not in self._codes or depth >= len(self._known[target]):
            return super().candidates(queries, k, target, exclude)
        (asked, _), found = self.factors(queries, target), Candidates.empty(len(queries), k)
        speaking = _complete(asked)
        for start in range(0, len(speaking), _QUERIES):
            rows = speaking[start : start + _QUERIES]
            part = self._found(asked[rows], k, depth, target, exclude.take(rows))
            found.ids[rows], found.scores[rows] = part.ids, part.scores
        short = speaking[found.ids[speaking, -1] == PADDING]
        if len(short):
            exact = super().candidates(queries.take(short), k, target, exclude.take(short))
            found.ids[short], found.scores[short] = exact.ids, exact.scores
        return found

    def _found(self, asked: Floats, k: int, depth: int, target: Target, exclude: Exclude) -> Candidates:
        """The best k of the `depth` that the scan finds for each query, without what is excluded."""
        rows = self._codes[target].nearest(asked, depth)
        ids = np.where(rows < 0, np.int32(PADDING), self._known[target][rows])
        scores = kernels.gather_dot(asked, self._model.vectors(target), ids)
        scores[exclude.holds(ids)] = -np.inf
        places, best = kernels.top_k(scores, k)
        return Candidates(np.where(places == PADDING, PADDING, np.take_along_axis(ids, places, axis=1)), best)

    def state(self) -> State:
        """Per target the codes, in faiss's format, uint8, and the ids that have vectors; the recall of each target."""
        codes = {f"codes.{target}": codes.serialized() for target, codes in self._codes.items()}
        known = {f"known.{target}": known for target, known in self._known.items()}
        return codes | known | {"recall": self._recall}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._recall = state["recall"]
        self._known = {target: state[f"known.{target}"] for target in self.targets}
        self._codes = {
            t: Codes.deserialized(state[f"codes.{t}"], self.config.probes)
            for t in self.targets
            if f"codes.{t}" in state
        }
        return self

    def memory(self, data: Dataset) -> int:
        """A copy of the vectors, taken to have 128 dimensions, and their codes."""
        return 128 * 5 * (len(data.items) + len(data.tags))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Those of the component."""
        return self._model.query_vectors(queries, target)

    def vectors(self, target: Target) -> Floats:
        """Those of the component."""
        return self._model.vectors(target)

    def word_vectors(self) -> tuple[Vocabulary, Floats] | None:
        """Those of the component."""
        return self._model.word_vectors()


def _complete(vectors: Floats) -> Ints:
    """The rows without NaN: int32, ascending."""
    return np.flatnonzero(~np.isnan(vectors).any(axis=1)).astype(np.int32)
