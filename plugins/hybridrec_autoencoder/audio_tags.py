"""`audio-tag-autoencoder`: puts the audio and the tags of items into one latent space."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, vstack

from hybridrec import (
    Bools,
    DataError,
    Dataset,
    Floats,
    Longs,
    MissingDependencyError,
    QueryBatch,
    Sparse,
    State,
    Target,
    VectorModel,
    kernels,
)
from hybridrec_autoencoder.network import Network, TrainingOptions, reported, train

LENGTH = 4.0
"""Root mean square length to which the audio and the tags of an input row are scaled, each by itself. Hidden
values are then neither linear nor saturated."""


class AudioTagOptions(TrainingOptions):
    """Options of `audio-tag-autoencoder`: the layers, the vectors of tags, and the hidden part of the input."""

    hidden: int = Field(200, ge=1)
    """Width of the hidden layer, which is the latent space."""
    tag_dim: int = Field(32, ge=1)
    """Dimensions of the Word2Vec space of tags."""
    tag_epochs: int = Field(20, ge=1, le=1_000_000)
    """Passes of Word2Vec over the tags of users and items."""
    hide_half: float = Field(0.5, ge=0, le=1)
    """Probability that the audio or the tags of an item are hidden in training (half of the time each), so that each is
    predicted from the other; this is how items without audio or tags, and queries of tags alone, are placed."""


class AudioTagAutoencoder(VectorModel):
    """Items and tags in the latent space of an autoencoder over (audio, mean Word2Vec vector of the tags).

    The audio of an item is its vector in the data (`item_vectors`), for example a PCA of spectrograms (`hybridrec
    reduce`). The tags of an item are its own and those of the users who have it. gensim's Word2Vec (CBOW) is trained on
    sentences, each of which has all tags of one item or one user as a single context. The two halves of the input,
    audio and tags, are centered and scaled to the same mean length. An unknown half is zero, and does not count in the
    loss. The vector of an item is its hidden vector; that of a tag is the hidden vector of an input that has the tag's
    Word2Vec vector and no audio. The vector of a query is the mean direction of its items and tags, and the score is
    the cosine.
    """

    name = "audio-tag-autoencoder"
    requires = ("gensim",)
    install_hint = "pip install 'hybridrec[word2vec]'"
    needs = frozenset({"items", "tags"})
    folds_in = True
    targets = ("items", "tags")
    Config = AudioTagOptions
    config: AudioTagOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train the space of tags and the latent space; return self.

        Raises DataError if the items have no vectors, or neither items nor users have tags.
        """
        if data.items.vectors is None or not data.items.vectors.any():
            raise DataError(f"{self.name}: the items have no vectors; readers take a file of them as `item_vectors`")
        tags = _item_tags(data)
        if not tags.nnz:
            raise DataError(f"{self.name}: neither items nor their users have tags")
        words = self._words(data, int(rng.integers(2**31)))
        audio, _ = _scaled(data.items.vectors, data.items.vectors)
        tagged, alone = _scaled(tags @ words, words)
        rows = np.hstack((audio, tagged))
        has_half = np.column_stack((audio.any(axis=1), tagged.any(axis=1)))
        some = has_half.any(axis=1)
        network = Network.random((rows.shape[1], self.config.hidden, rows.shape[1]), rng)
        halves = _Halves(rows[some], has_half[some], audio.shape[1], self.config.hide_half, rng)
        epochs = self.config.epochs
        losses = train(network, int(some.sum()), halves.damaged, halves.squares, self.config, epochs, rng)
        self._losses = reported(losses, epochs, self.report)
        self._items = _directions(network, rows)
        self._tags = _directions(network, np.hstack((np.zeros((len(alone), audio.shape[1]), np.float32), alone)))
        return self

    def _words(self, data: Dataset, seed: int) -> Floats:
        """Train the Word2Vec vector of each tag, float32 [T, tag_dim]; zeros for tags that nobody has."""
        try:
            from gensim.models import Word2Vec
        except ImportError as error:
            raise MissingDependencyError(
                f"component '{self.name}' needs the library gensim, which cannot be imported ({error}); "
                f"{self.install_hint}"
            ) from error
        sets = vstack([data.item_matrix("tags"), data.user_matrix("tags")], format="csr")
        names = sets.indices.astype(str).astype(object)
        sentences = [row.tolist() for row in np.split(names, sets.indptr[1:-1]) if len(row)]
        model = Word2Vec(
            sentences,
            vector_size=self.config.tag_dim,
            window=max(map(len, sentences)),
            shrink_windows=False,
            epochs=self.config.tag_epochs,
            negative=10,
            alpha=0.1,
            sample=0,
            min_count=1,
            seed=seed,
            workers=1,
        )
        words = np.zeros((data.size("tags"), self.config.tag_dim), np.float32)
        words[np.array(model.wv.index_to_key, np.int64)] = model.wv.vectors
        return words

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the rows of items (three copies), hidden vectors and tags; the network is small."""
        audio = 0 if data.items.vectors is None else data.items.vectors.shape[1]
        held = data.interactions.lengths @ np.diff(data.user_matrix("tags").indptr)
        return 4 * len(data.items) * (3 * (audio + self.config.tag_dim) + self.config.hidden) + 16 * int(held)

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32 [Q, hidden], of length 1.

        NaN rows for queries without an item or tag that has a vector.
        """
        items = kernels.vector_sums(queries.matrix("items"), self._items)
        return _unit(items + kernels.vector_sums(queries.matrix("tags").sign(), self._tags))

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of ids, float32 [N, hidden], of length 1.

        NaN rows for items with neither audio nor tags, and for tags that nobody has.
        """
        return self._items if target == "items" else self._tags

    def state(self) -> State:
        """Return the vectors of items and tags, and the mean loss of each epoch."""
        return {"items": self._items, "tags": self._tags, "losses": self._losses}

    def restore(self, state: State) -> Self:
        """Take the vectors of items and tags, and the losses, from `state`; return self."""
        self._items, self._tags, self._losses = state["items"], state["tags"], state["losses"]
        return self


class _Halves:
    """Training rows of two halves, audio and tags; their corruption, which hides one half; and the squared error."""

    def __init__(self, rows: Floats, has_half: Bools, first: int, hide: float, rng: np.random.Generator) -> None:
        """Take the training rows.

        rows: float32 [R, D]; the columns of the audio come first, then those of the tags
        has_half: bool [R, 2], true where the audio, and where the tags, of a row are known
        first: number of columns of the audio
        hide: probability that either the audio or the tags are hidden in a row that has both
        """
        self._rows, self._has_half, self._hide, self._rng = rows, has_half, hide, rng
        self._half = (np.arange(rows.shape[1]) >= first).astype(np.int64)

    def damaged(self, places: Longs) -> Floats:
        """Return the rows at these places, float32 [B, D]; some rows that have both halves have one of them hidden."""
        fate = np.where(self._has_half[places].all(axis=1), self._rng.random(len(places)), 1)
        kept = np.column_stack((fate >= self._hide / 2, (fate < self._hide / 2) | (fate >= self._hide)))
        return self._rows[places] * kept[:, self._half]

    def squares(self, outputs: Floats, places: Longs) -> float:
        """Return the squared error over all known halves, divided by 2; overwrite `outputs` with its gradient."""
        outputs -= self._rows[places]
        outputs *= self._has_half[places][:, self._half]
        return float(np.vdot(outputs, outputs)) / 2


def _item_tags(data: Dataset) -> Sparse:
    """Return the tags of items: csr [I, T], rows that sum to 1.

    An item's own tags and the tags of its users have the same weight.
    """
    of_users = data.interactions.matrix(binary=True).T.tocsr() @ data.user_matrix("tags").sign()
    return _shares(_shares(data.item_matrix("tags")) + _shares(of_users))


def _shares(matrix: Sparse) -> Sparse:
    """Divide rows by their sums; empty rows stay empty."""
    matrix = csr_matrix(matrix, dtype=np.float32)
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    values = matrix.data / np.repeat(np.where(sums > 0, sums, 1), np.diff(matrix.indptr))
    return csr_matrix((values.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _scaled(rows: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Return `rows` and `others`, both minus the mean of `rows` and multiplied by the same factor.

    With this factor `rows` have a mean square length of `LENGTH`^2. Rows of zeros are unknown and stay zero.
    """
    nonzero = rows[rows.any(axis=1)]
    mean = nonzero.mean(axis=0) if len(nonzero) > 1 else np.zeros(rows.shape[1], np.float32)
    length = np.sqrt(np.square(nonzero - mean).sum(axis=1).mean()) if len(nonzero) else 0
    factor = np.float32(LENGTH / length if length > 0 else 1)
    first, second = ((half - mean) * factor * half.any(axis=1, keepdims=True) for half in (rows, others))
    return first, second


def _directions(network: Network, rows: Floats) -> Floats:
    """Return the hidden vectors of rows, scaled to length 1; NaN for rows of zeros."""
    hidden = network.hidden(rows)
    hidden[~rows.any(axis=1)] = 0
    return _unit(hidden)


def _unit(rows: Floats) -> Floats:
    """Scale rows to length 1; rows of zeros become NaN."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, np.nan)).astype(np.float32, copy=False)
