"""LightFM: users and items are sums of the vectors of their features, so that new users and items are served, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, repeat
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field as Option
from scipy.sparse import csr_matrix, vstack

from hybridrec import (
    Bools,
    Dataset,
    Field,
    Floats,
    Options,
    QueryBatch,
    SimilarityOptions,
    Sparse,
    State,
    Target,
    Tokenizer,
    TokenVocabulary,
    VectorModel,
)
from hybridrec_lightfm.feature_rows import ItemField, UserField, UserSpace, item_rows
from hybridrec_lightfm.loading import INSTALL_HINT, load_lightfm

_NEEDS: dict[UserField, Field] = {
    "user": "user",
    "features": "user",
    "items": "items",
    "tags": "tags",
    "title": "title",
}


class LightFMOptions(SimilarityOptions):
    """Options of `lightfm`: the fields that describe users and items, the loss, and the steps of training.

    Only the inner product has biases, of which the bias of an item is its popularity; other similarities lack them.
    """

    loss: Literal["warp", "bpr", "logistic", "warp-kos"] = "warp"
    """Loss of training; `warp` optimizes the top of the ranking, `logistic` draws one random negative for each
    positive."""
    user_fields: tuple[UserField, ...] = Option(("items", "tags", "title", "features"), min_length=1)
    """Fields that describe a user: `user` (a vector of the user's own), `items` (the history), `tags`, `title` words,
    `features`."""
    item_fields: tuple[ItemField, ...] = Option(("item", "tags", "features", "text"), min_length=1)
    """Fields that describe an item: `item` (a vector of the item's own), `tags`, `features`, `text` words."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of the titles of users and the texts of items."""
    share_weight: bool = True
    """Divide a weight of 1 among the features of an item in each field. If false, each feature counts in full: right
    for a few kinds of features that are informative together (genre and year), and often far better for cold items."""
    dim: int = Option(32, gt=0)
    """Dimensions of the space."""
    epochs: int = Option(20, ge=1, le=1_000_000)
    """Passes over the training data."""
    patience: int | None = Option(None, gt=0)
    """End training this many epochs after the epoch that ranked validation queries best, then train to that epoch on
    the whole training part; null trains all `epochs`. The queries are cut out of the component's own training part."""
    learning_rate: float = Option(0.05, gt=0)
    """Initial learning rate of adagrad."""
    schedule: Literal["adagrad", "adadelta"] = "adagrad"
    """Adaptation of the learning rate to each feature."""
    item_alpha: float = Option(0.0, ge=0)
    """L2 penalty on the vectors of items' features; it makes training slow, and small values (1e-6) suffice."""
    user_alpha: float = Option(0.0, ge=0)
    """L2 penalty on the vectors of users' features."""
    max_sampled: int = Option(10, gt=0)
    """WARP only: number of negatives that are tried for each positive before it counts as ranked well."""
    alone: bool = True
    """Train on each user once with all fields and once with each field alone, since queries may have just one."""


class LightFM(VectorModel):
    """Factorization of features of users and items.

    Kula, "Metadata Embeddings for User and Item Cold-start Recommendations" (2015). Within a field the weights of the
    features of a user sum to 1, and so do those of an item unless `share_weight` is false. With `items` among the user
    fields, a training user is described by a random half of the history and trained on the other half, so that a
    history learns to predict other items than its own. Items without interactions are left out of training, where they
    would be pushed down as negatives; they are recommended by the features that they share with other items.
    """

    name = "lightfm"
    Config = LightFMOptions
    config: LightFMOptions
    requires = ("lightfm",)
    install_hint = INSTALL_HINT
    targets = ("items",)

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self.needs = frozenset(_NEEDS[field] for field in self.config.user_fields)
        self.folds_in = "items" in self.config.user_fields
        self.validates = self.config.patience is not None

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train on all users who have interactions; return self."""
        self._epochs, patience = self.config.epochs, self.config.patience
        if self.validation is not None and patience is not None:
            trial = self._training(self.validation.train, rng.spawn(1)[0])
            self._epochs = self.validation.best_step(self, trial, self._epochs, patience)
        for epoch, _ in enumerate(islice(self._training(data, rng), self._epochs), 1):
            self.report(epoch, self._epochs)
        return self

    def notes(self) -> list[str]:
        """Return a sentence with the number of epochs, if validation queries decided it."""
        if not self.validates:
            return []
        return [f"{self._epochs} of {self.config.epochs} epochs ranked the validation queries best"]

    def _training(self, data: Dataset, rng: np.random.Generator) -> Iterator[None]:
        """Train from the beginning; yield after each epoch, when the model can already serve queries."""
        space = self._user_space(data)
        users, positives = self._training_rows(data, space, rng)
        items = self._item_rows(data)
        warm = np.bincount(data.interactions.ids, minlength=len(data.items)) > 0
        dim = self.config.dim
        vectors = np.full((users.shape[1], dim + 1), np.nan, np.float32)
        features = np.full((items.shape[1], dim + 1), np.nan, np.float32)
        models: Iterable[Any] = repeat(None, self.config.epochs)
        if positives.nnz:
            positives = positives[:, warm]
            if self.config.loss == "logistic":
                positives = _with_negatives(positives, rng)
            models = self._models(users, items[warm], positives, int(rng.integers(2**31)))
        for model in models:
            if model is not None:
                vectors = np.column_stack((model.user_embeddings, model.user_biases))
                features = np.column_stack((model.item_embeddings, model.item_biases))
                vectors[~_used(users)] = np.nan
                features[~_used(items[warm])] = np.nan
            represented = _sums(items, features)
            ones = np.where(np.isnan(represented[:, :1]), np.nan, np.float32(1))
            # The inner product of (embedding, user bias, 1) and (embedding, 1, item bias) includes both biases.
            self._become(space, vectors, np.hstack((represented[:, :dim], ones, represented[:, dim:])))
            yield

    def _user_space(self, data: Dataset) -> UserSpace:
        return UserSpace.of(data, self.config.user_fields, self.config.tokenizer)

    def _item_rows(self, data: Dataset) -> Sparse:
        return item_rows(data, self.config.item_fields, self.config.tokenizer, shares=self.config.share_weight)

    def _training_rows(self, data: Dataset, space: UserSpace, rng: np.random.Generator) -> tuple[Sparse, Sparse]:
        """Return the features, csr [R, features], and the positives, csr [R, I], of the training rows.

        Each user has a row with all fields and, with `alone`, one with each field alone.
        """
        queries = data.queries(np.flatnonzero(data.interactions.lengths).astype(np.int32))
        views: list[tuple[UserField, ...]] = [space.fields]
        if self.config.alone and len(space.fields) > 1:
            views += [(field,) for field in space.fields]
        features, positives = [], []
        for fields in views:
            shown, wanted = queries, queries.history
            if "items" in fields:
                half = rng.random(len(wanted.ids)) < 0.5
                shown, wanted = replace(queries, history=wanted.where(half)), wanted.where(~half)
            features.append(space.rows(shown, fields))
            positives.append(wanted.matrix(binary=True))
        return csr_matrix(vstack(features)), csr_matrix(vstack(positives))

    def _models(self, users: Sparse, items: Sparse, positives: Sparse, seed: int) -> Iterator[Any]:
        """Train a model of the library, on one thread for reproducibility; yield it after each epoch."""
        model = load_lightfm().LightFM(
            no_components=self.config.dim,
            loss=self.config.loss,
            learning_rate=self.config.learning_rate,
            learning_schedule=self.config.schedule,
            item_alpha=self.config.item_alpha,
            user_alpha=self.config.user_alpha,
            max_sampled=self.config.max_sampled,
            random_state=seed,
        )
        for matrix in (users, items, positives):
            # LightFM reads 32-bit indices only.
            matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        for _ in range(self.config.epochs):  # the same as all of them at once
            yield model.fit_partial(positives, user_features=users, item_features=items, epochs=1, num_threads=1)

    def state(self) -> State:
        """Return the words, the width of each field, and the vectors of users' features and of items, with biases."""
        arrays: State = {
            "widths": np.array(self._space.widths, np.int64),
            "features": self._features,
            "items": self._items,
        }
        return arrays | self._space.lexicon.state()

    def restore(self, state: State) -> Self:
        """Take the words, the widths, and the vectors of users' features and of items from `state`; return self."""
        widths = tuple(int(width) for width in state["widths"])
        lexicon = TokenVocabulary.restore(state, self.config.tokenizer)
        return self._become(UserSpace(self.config.user_fields, widths, lexicon), state["features"], state["items"])

    def _become(self, space: UserSpace, features: Floats, items: Floats) -> Self:
        self._space, self._features, self._items = space, features, items
        self._places = items if self.config.is_plain else self.config.places(items[:, :-2])
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of all feature vectors, of adagrad's squares, and of the training rows.

        A user has a row with all fields and, with `alone`, one with each field alone.
        """
        users = self._user_space(data)
        columns = sum(users.widths) + self._item_rows(data).shape[1]
        views = 1 + len(users.fields) * self.config.alone
        entries = len(data.interactions.ids) + data.user_matrix("tags").nnz + 10 * len(data.users)
        return 8 * columns * (self.config.dim + 1) + 16 * views * entries

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: one step for each interaction and epoch, over all features of a user.

        Titles are assumed to have four tokens.
        """
        fields = self.config.user_fields
        learned = np.diff(data.user_matrix("items").indptr) / (2 if "items" in fields else 1)
        features = learned * ("items" in fields) + np.diff(data.user_matrix("tags").indptr) * ("tags" in fields) + 4
        views = 2 if self.config.alone and len(fields) > 1 else 1  # each field alone: together as many features again
        return 2.5e-8 * self.config.epochs * self.config.dim * views * float((learned * features).sum())

    def vectors(self, target: Target) -> Floats:
        """Return embedding, 1 and bias of each item: float32 [I, dim + 2].

        NaN rows for items without a trained feature. For a `similarity` other than `dot` the rows are the embeddings
        alone, scaled for the similarity.
        """
        return self._places

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return embedding, bias and 1 of each query: float32 [Q, dim + 2].

        NaN rows for queries without a trained feature. For a `similarity` other than `dot` the rows are the embeddings
        alone, as wide as `vectors`.
        """
        sums = _sums(self._space.rows(queries), self._features)
        if not self.config.is_plain:
            return self.config.probes(sums[:, :-1])
        return np.column_stack((sums, np.where(np.isnan(sums[:, 0]), np.float32(np.nan), np.float32(1))))


def _with_negatives(positives: Sparse, rng: np.random.Generator) -> Sparse:
    """Add to each row as many entries of -1 as it has ones, at random columns; a draw that hits a one is lost."""
    columns = rng.integers(positives.shape[1], size=positives.nnz)
    hit = csr_matrix((np.ones(len(columns), np.float32), columns, positives.indptr.copy()), shape=positives.shape)
    hit.sum_duplicates()
    return csr_matrix(positives - (hit != 0).astype(np.float32) + positives.multiply(hit != 0))


def _used(rows: Sparse) -> Bools:
    """Return bool [columns]: true for features that occur in any row."""
    return np.bincount(rows.indices, minlength=rows.shape[1]) > 0


def _sums(rows: Sparse, vectors: Floats) -> Floats:
    """Sum the vectors of each row's features, without vectors of NaN; a row that has no others is NaN."""
    trained = rows.copy()
    trained.data[np.isnan(vectors[trained.indices, 0])] = 0
    trained.eliminate_zeros()
    sums = trained @ vectors
    sums[np.diff(trained.indptr) == 0] = np.nan
    return sums
