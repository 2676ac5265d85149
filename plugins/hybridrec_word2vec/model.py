"""Word2Vec over playlists: what stands in one playlist is close in the space."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field as Option

from hybridrec import (
    TARGETS,
    Dataset,
    Doubles,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Tokenizer,
    VectorModel,
    Vocabulary,
    kernels,
)
from hybridrec_word2vec.space import SENTENCE_FIELDS, SentenceField, Sentences, Space
from hybridrec_word2vec.training import INSTALL_HINT, train


class Word2VecOptions(Options):
    """Options of `word2vec`."""

    fields: tuple[SentenceField, ...] = Option(("items", "tags", "title"), min_length=1)
    """What stands in a user's sentence: `items`, `tags`, `title` (its words), `user` (the user's id), `features` (those
    of the items, artist and genre say, each once)."""
    repeat: dict[SentenceField, Annotated[int, Option(ge=1)]] = Option(default_factory=dict)
    """How often each token of a field stands in a sentence; 1 where nothing is said."""
    tokenizer: Tokenizer = Tokenizer()
    """How titles become words."""
    score: Literal["input-output", "cosine"] = "input-output"
    """How a candidate is scored: inner product of the query with the candidate's output vector, which is
    what training predicts; or cosine with its input vector, which is how alike the two are."""
    algorithm: Literal["cbow", "skip-gram"] = "cbow"
    """Predict a token from the mean of its neighbours, as a query is a mean; or each neighbour from each token."""
    dim: int = Option(64, gt=0)
    """Dimensions of the space."""
    window: int | None = Option(5, gt=0)
    """Neighbours on each side of a token; null for the whole sentence (slow for long ones)."""
    shrink_windows: bool = False
    """Draw the window of each token anew, from 1 to `window`: the nearer a neighbour, the more often it counts."""
    shuffle: bool = True
    """Mix the items of a sentence anew in each epoch; if false they keep the order in which they were played."""
    epochs: int = Option(40, gt=0)
    """Passes over the sentences."""
    negative: int = Option(10, gt=0)
    """Random tokens told apart from each true neighbour."""
    ns_exponent: float = -0.25
    """Negatives are drawn by frequency to this power: 1 in proportion, 0 all alike, below 0 rare ones more often."""
    sample: float = Option(0.0, ge=0)
    """Frequency above which tokens are left out at random; 0 for never."""
    min_count: int = Option(1, gt=0)
    """Tokens that are rarer get no vector."""
    alpha: float = Option(0.1, gt=0)
    """Initial learning rate; about 0.025 for skip-gram."""
    workers: int = Option(1, gt=0)
    """Threads that train side by side without waiting for each other (Hogwild). With 1 the same seed gives the same
    vectors; more are faster on a corpus of many millions of tokens, and give other vectors each time."""
    context: int | None = Option(None, gt=0)
    """Only the last so many items of a query count, which the split `each-position` makes the nearest; null for all."""
    weights: dict[SentenceField, Annotated[float, Option(ge=0)]] = Option(default_factory=dict)
    """Weight of a field's tokens in the mean that stands for a query; 1 where nothing is said."""
    average: Literal["tokens", "fields"] = "tokens"
    """What a query is the mean of: all its tokens, or its fields, each being the mean of its tokens."""


class Word2Vec(VectorModel):
    """Co-embedding of items, tags, title words and users.

    Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality" (2013);
    on the choice of `ns_exponent` for recommendation: Caselles-Dupré et al., "Word2vec applied to
    recommendation: hyperparameters matter" (2018). A query is the weighted mean of the input vectors of
    all it knows, so unknown users are served as known ones are.
    """

    name = "word2vec"
    Config = Word2VecOptions
    config: Word2VecOptions
    requires = ("gensim",)
    install_hint = INSTALL_HINT
    folds_in = True

    losses: Doubles
    """The loss of each epoch, per token of the sentences: float64 [epochs]."""

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self._fields = tuple(field for field in SENTENCE_FIELDS if field in self.config.fields)
        self.needs = frozenset("items" if field == "features" else field for field in self._fields)
        self.targets = tuple(target for target in TARGETS if target in self._fields)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train on one sentence per user."""
        space = Space.of(data, self._fields, self.config.tokenizer)
        sentences = Sentences(space, data, self.config.shuffle, rng, self.config.repeat)
        vectors, predictors, self.losses = train(sentences, self.config, int(rng.integers(2**31)))
        if self.config.score == "cosine":
            vectors = predictors = normalised(vectors)
        return self._become(space, vectors, {target: predictors[space.part(target)] for target in self.targets})

    def state(self) -> State:
        """The tokens, the input vectors of all of them, what scores each target, and the losses."""
        return {
            **self._space.state(),
            "vectors": self._vectors,
            "losses": self.losses,
            **{f"candidates.{target}": part for target, part in self._candidates.items()},
        }

    def restore(self, state: State) -> Self:
        """Take the vectors and the losses."""
        self.losses = state["losses"]
        space = Space.restore(state, self._fields, self.config.tokenizer)
        return self._become(space, state["vectors"], {t: state[f"candidates.{t}"] for t in self.targets})

    def _become(self, space: Space, vectors: Floats, candidates: dict[Target, Floats]) -> Self:
        self._space, self._vectors, self._candidates = space, vectors, candidates
        self._learned = ~np.isnan(vectors[:, 0])
        self._embedding = vectors if self._learned.all() else np.nan_to_num(vectors)
        return self

    def memory(self, data: Dataset) -> int:
        """Input and output vectors, twice; the tokens of all sentences and what one pass takes to mix them.

        Titles are taken to have as many tokens as they have words.
        """
        space = Space.of(data, self._fields, Tokenizer())
        tokens = len(data.interactions.ids) + data.user_tags.nnz + 10 * len(data.users)
        return 16 * space.size * self.config.dim + 48 * tokens + 100 * space.size

    def vectors(self, target: Target) -> Floats:
        """float32 [N, dim]: output vectors, or input vectors of length 1 with `score: cosine`; NaN rows if unseen."""
        return self._candidates[target]

    def word_vectors(self) -> tuple[Vocabulary, Floats] | None:
        """The words of titles and their input vectors."""
        return (self._space.words, self.inputs("title")) if "title" in self._fields else None

    def inputs(self, field: SentenceField) -> Floats:
        """float32 [N, dim]: the input vectors of a field's tokens; NaN rows if unseen."""
        return self._vectors[self._space.part(field)]

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, dim]; NaN where nothing in the query has a vector."""
        seeds = self.seeds(queries)
        mean = seeds @ self._embedding
        mean[np.diff(seeds.indptr) == 0] = np.nan
        return normalised(mean) if self.config.score == "cosine" else mean

    def seeds(self, queries: QueryBatch) -> Sparse:
        """csr float32 [Q, tokens]: the share of each token in the query; rows sum to 1, or are empty."""
        seeds = self._space.counts(queries, self.config.context)
        seeds.data *= self._learned[seeds.indices]
        weights = self._space.per_token(self.config.weights)[seeds.indices]
        if self.config.average == "fields":
            weights = weights / np.maximum(self._space.field_sums(seeds).data, 1)
        seeds.data *= weights
        seeds.eliminate_zeros()
        total = np.asarray(seeds.sum(axis=1)).ravel()
        seeds.data /= total[kernels.csr_rows(seeds)]
        return seeds


def normalised(vectors: Floats) -> Floats:
    """Each row at length 1; rows of zeros stay, rows of NaN too."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32, copy=False)
