"""Component `slate-file`: takes the candidates that another system chose from a file."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from hybridrec import DataError, Dataset, DenseModel, Floats, InputPath, Options, QueryBatch, State, Target
from hybridrec_slates.files import read_slates
from hybridrec_slates.qrels import QUERIES


class SlatesOptions(Options):
    """Options of `slate-file`: the file with the slates, and the scores that their ids get."""

    path: InputPath = Field(examples=["ours.run"])
    """File with the slates of one system: TREC text (query, Q0, id, rank, score, name), ordered by score, or a table
    with the columns `query`, `id`, and `rank` or `score`."""
    scores: Literal["rank", "file"] = "rank"
    """Score of an id: with `rank` its place counted from the end of the slate; with `file` the score in the file, for
    fusions that add scores."""
    digest: str = Field("", validate_default=True)
    """Digest of the file, computed when the config is read, so that a changed file makes another fit."""

    @field_validator("digest", mode="after")
    @classmethod
    def _of_the_file(cls, digest: str, info: ValidationInfo) -> str:
        return digest_of(info.data["path"]) if "path" in info.data else digest


def digest_of(path: Path) -> str:
    """Return the digest of a file; an empty text if it cannot be read, since `fit` reports that."""
    try:
        with path.open("rb") as file:
            digest = blake2b(digest_size=16)
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError:
        return ""


class Slates(DenseModel):
    """Slates of another system for the queries of the reader `qrels`; a query without a slate gets no candidates.

    Ids are ranked as in the file, and can be blended (`rrf`, `weighted`), filtered and re-ranked like the candidates of
    any generator.
    """

    name = "slate-file"
    targets = ("items",)
    Config = SlatesOptions
    config: SlatesOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Read the file and return self; raises DataError if the data has no queries, or lacks an id of the file."""
        if QUERIES not in data.entities:
            raise DataError("component 'slate-file': the data has no queries; use it with the reader `qrels`")
        frame = read_slates(self.config.path)
        rows = data.entities[QUERIES].vocabulary.encode_known(frame["query"].to_list(), self.name)
        ids = data.items.vocabulary.encode_known(frame["id"].to_list(), self.name)
        order = np.argsort(rows, kind="stable")
        lengths = np.bincount(rows, minlength=len(data.entities[QUERIES]))
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        places = np.arange(len(rows)) - np.repeat(offsets[:-1], lengths)
        scores = np.repeat(lengths, lengths) - places
        if self.config.scores == "file":
            scores = frame["score"].to_numpy()[order]
        names = data.entities[QUERIES].vocabulary.ids.to_list()
        return self.restore(
            {
                "queries": np.array(names, np.str_),
                "offsets": offsets,
                "ids": ids[order],
                "scores": np.asarray(scores, np.float32),
                "items": np.array(len(data.items)),
            }
        )

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the scores of the ids in each query's slate, NaN for all others: float32 [Q, I]."""
        scores = np.full((len(queries), int(self._state["items"])), np.nan, np.float32)
        rows = np.array([self._rows.get(name, -1) for name in queries.ids or [""] * len(queries)])
        answered = np.flatnonzero(rows >= 0)
        offsets = self._state["offsets"]
        lengths = (offsets[1:] - offsets[:-1])[rows[answered]]
        starts = np.repeat(offsets[rows[answered]] - np.concatenate(([0], np.cumsum(lengths)))[:-1], lengths)
        entries = np.arange(lengths.sum()) + starts
        scores[np.repeat(answered, lengths), self._state["ids"][entries]] = self._state["scores"][entries]
        return scores

    def state(self) -> State:
        """Return the ids of the queries, and the ids and scores of their slates."""
        return self._state

    def restore(self, state: State) -> Self:
        """Take the slates and the ids of their queries from `state`; return self."""
        self._state = state
        self._rows = {str(name): row for row, name in enumerate(state["queries"].tolist())}
        return self
