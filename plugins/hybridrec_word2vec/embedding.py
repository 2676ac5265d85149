"""Word2Vec over playlists: tokens that occur in the same playlists are close in the space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from hybridrec import (
    EVERY_KIND,
    ITEMS,
    DataError,
    Dataset,
    Doubles,
    Figure,
    Options,
    SimilarityOptions,
    State,
    StripesFigure,
    Target,
    Tokenizer,
)
from hybridrec_word2vec.space import SentenceField, Sentences, Space
from hybridrec_word2vec.trained_space import COSINE_ALONE, Average, QueryEncoder, Score, SpaceModel, TrainedSpace
from hybridrec_word2vec.training import INSTALL_HINT, train


class Word2VecOptions(SimilarityOptions):
    """Options of `word2vec`; `similarity` and `norm_exponent` apply to `score: input-output` only."""

    fields: tuple[SentenceField, ...] | None = Option(None, min_length=1)
    """Fields that form a user's sentence: `items`, `tags` or any other kind that users carry, `title` (its words),
    `user` (the user's id), `features` (those of the items, such as artist and genre, each once). By default
    items, all other kinds, and title."""
    repeat: dict[SentenceField, Annotated[int, Option(ge=1)]] = Option(default_factory=dict)
    """Number of occurrences of each token of a field in a sentence; 1 for fields that are not named."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of titles."""
    score: Score = "input-output"
    """Score of a candidate: with `input-output` the inner product of the query with the candidate's output vector,
    which training predicts by; with `cosine` the cosine of the query with the candidate's input vector."""
    algorithm: Literal["cbow", "skip-gram"] = "cbow"
    """Training task: `cbow` predicts a token from the mean of its neighbours, much as a query is a mean; `skip-gram`
    predicts each neighbour from each token."""
    dim: int = Option(64, gt=0)
    """Dimensions of the space."""
    window: int | None = Option(5, gt=0)
    """Number of neighbours on each side of a token; null for the whole sentence (slow for long ones)."""
    shrink_windows: bool = False
    """Draw the window of each token at random from 1 to `window`, so that near neighbours count more often."""
    shuffle: bool = True
    """Shuffle the items of a sentence in each epoch; if false they keep the order in which they were played."""
    epochs: int = Option(40, ge=1, le=1_000_000)
    """Passes over the sentences."""
    negative: int = Option(10, gt=0)
    """Number of random tokens that are contrasted with each true neighbour."""
    ns_exponent: float = -0.25
    """Power of the frequency by which negatives are drawn: 1 draws in proportion to it, 0 uniformly, values below 0
    draw rare tokens more often."""
    sample: float = Option(0.0, ge=0)
    """Frequency above which tokens are dropped at random; 0 for never."""
    min_count: int = Option(1, gt=0)
    """Smallest number of occurrences with which a token gets a vector."""
    alpha: float = Option(0.1, gt=0)
    """Initial learning rate; about 0.025 for skip-gram."""
    workers: int = Option(1, gt=0)
    """Number of threads that train concurrently without synchronization (Hogwild). With 1 the same seed gives the
    same vectors; more are faster on a corpus of many millions of tokens, but give other vectors each time."""
    context: int | None = Option(None, gt=0)
    """Number of the last items of a query that count, null for all; the split `each-position` puts the items nearest
    to the hidden one last."""
    weights: dict[SentenceField, Annotated[float, Option(ge=0)]] = Option(default_factory=dict)
    """Weight of a field's tokens in the mean that represents a query; 1 for fields that are not named."""
    average: Average = "tokens"
    """Mean that represents a query: with `tokens` the mean of all its tokens; with `fields` the mean of its fields,
    each the mean of its own tokens."""

    @model_validator(mode="after")
    def _similarity_of_outputs(self) -> Self:
        if self.score == "cosine" and not self.is_plain:
            raise ValueError(COSINE_ALONE)
        return self


class Word2Vec(SpaceModel):
    """Joint embedding of items, other entities, title words and users.

    Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality" (2013); on the
    choice of `ns_exponent` for recommendation: Caselles-Dupré et al., "Word2vec applied to recommendation:
    hyperparameters matter" (2018). A query is the weighted mean of the input vectors of all its tokens, so unknown
    users are served like known ones. Other components retrieve from the same space in other ways: their `uses` names
    this one.
    """

    name = "word2vec"
    version = "2"
    Config = Word2VecOptions
    config: Word2VecOptions
    requires = ("gensim",)
    install_hint = INSTALL_HINT
    folds_in = True

    losses: Doubles
    """Loss of each epoch, per token of the sentences: float64 [epochs]."""

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        fields = self.config.fields or (EVERY_KIND, "title")
        self.reproducible = self.config.workers == 1
        self.needs = frozenset(ITEMS if field == "features" else field for field in fields)
        self.targets = tuple(field for field in fields if field not in ("user", "title", "features"))

    @property
    def dim(self) -> int:
        """Dimensions of the space, known before training."""
        return self.config.dim

    @property
    def encoder(self) -> QueryEncoder:
        """The trained space, with the options that turn queries into vectors."""
        config = self.config
        return QueryEncoder(self._trained, config.score, config.context, config.weights, config.average, config)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train on one sentence per user; return self."""
        fields = self._fields_of(data)
        space = Space.of(data, fields, self.config.tokenizer)
        sentences = Sentences(space, data, self.config.shuffle, rng, self.config.repeat)
        inputs, predictors, self.losses = train(sentences, self.config, int(rng.integers(2**31)), self.report)
        outputs = {target: predictors[space.range_of(target)] for target in self._learned_targets(fields)}
        self._trained = TrainedSpace(space, inputs, outputs, sentences.users)
        return self

    def state(self) -> State:
        """Return the fields, the tokens, their vectors and counts, and the losses."""
        trained = self._trained
        return {
            **trained.space.state(),
            "inputs": trained.inputs,
            "counts": trained.counts,
            "losses": self.losses,
            "fields": np.array(trained.space.fields),
            **{f"outputs.{target}": vectors for target, vectors in trained.outputs.items()},
        }

    def restore(self, state: State) -> Self:
        """Take the space, its vectors and counts, and the losses from `state`; return self."""
        self.losses, fields = state["losses"], tuple(map(str, state["fields"]))
        space = Space.restore(state, fields, self.config.tokenizer)
        outputs = {target: state[f"outputs.{target}"] for target in self._learned_targets(fields)}
        self._trained = TrainedSpace(space, state["inputs"], outputs, state["counts"])
        return self

    def _fields_of(self, data: Dataset) -> tuple[SentenceField, ...]:
        """Return the fields of the sentences in the order of their tokens; raises DataError if the data lacks one."""
        order = ("user", *data.targets, "title", "features")
        fields = self.config.fields or (*data.targets, "title")
        for field in fields:
            if field not in order:
                raise DataError(f"{self.name}: `fields` names '{field}'; fields of this data are {', '.join(order)}")
        return tuple(field for field in order if field in fields)

    def _learned_targets(self, fields: tuple[SentenceField, ...]) -> tuple[Target, ...]:
        return tuple(field for field in fields if self.recommends(field))

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of all vectors, held twice, the tokens of all sentences, and one shuffled pass.

        Titles are assumed to have the tokens of the default tokenizer, at most 10 for each user.
        """
        fields = self._fields_of(data)
        space = Space.of(data, fields, Tokenizer())
        entities = sum(data.user_matrix(kind).nnz for kind in data.targets[1:] if kind in fields)
        tokens = len(data.interactions.ids) + entities + 10 * len(data.users)
        return 16 * space.size * self.config.dim + 48 * tokens + 100 * space.size

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: each epoch passes over every token; titles are assumed to have ten."""
        fields = self._fields_of(data)
        entities = sum(data.user_matrix(kind).nnz for kind in data.targets[1:] if kind in fields)
        tokens = len(data.interactions.ids) + entities + 10 * len(data.users) * ("title" in fields)
        return 6e-9 * self.config.epochs * self.config.dim * (self.config.negative + 1) * tokens

    def figures(self, data: Dataset) -> Sequence[Figure]:
        """Return the vectors of the item with the most users and of its nearest items, drawn as stripes."""
        if ITEMS not in self._trained.space.fields:
            return []
        vectors, users = self._trained.inputs_of(ITEMS), data.user_matrix(ITEMS).getnnz(axis=0)
        users[np.isnan(vectors[:, 0])] = 0
        return [StripesFigure.of_neighbours(data.items, vectors, int(users.argmax()))] if users.any() else []
