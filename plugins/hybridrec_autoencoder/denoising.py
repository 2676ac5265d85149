"""`denoising-autoencoder`: completes a query's items and tags by a network with hidden layers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Self

import numpy as np

from hybridrec import (
    EVERY_KIND,
    ITEMS,
    DataError,
    Dataset,
    Floats,
    Ints,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    VectorModel,
    kernels,
)
from hybridrec_autoencoder.network import Loss, Network, reported, train
from hybridrec_autoencoder.rows import (
    CrossEntropy,
    DenoisingOptions,
    Hiding,
    Multinomial,
    log_odds,
    log_shares,
    rows_of,
    unit,
)


class DenoisingAutoencoder(VectorModel):
    """Autoencoder from items and tags to items and tags, trained on rows with entries missing.

    A row x of a user's items and tags is corrupted, scaled to length 1 and sent through the network, whose output is y.
    The default loss is the multinomial one, -sum x log softmax(y), of the whole row x, for items and tags separately
    (Mult-DAE of Liang et al., Variational autoencoders for collaborative filtering, WWW 2018). The corruption also
    hides whole fields, as in the autoencoders of the Melon playlist challenge 2020. A query is a row without
    corruption. The score of an id is its output: the inner product of (h, 1) with a column of (W, b), where h is the
    last hidden layer.
    """

    name = "denoising-autoencoder"
    version = "2"
    folds_in = True
    Config = DenoisingOptions
    config: DenoisingOptions

    def __init__(self, config: Options | None = None) -> None:
        """Set `targets` and `needs`, and `validates` if `patience` is given.

        With a `tag_weight` of 0, items are the only target and the only field that is needed.
        """
        super().__init__(config)
        self.targets = (EVERY_KIND,) if self.config.tag_weight else (ITEMS,)
        self.needs = frozenset(self.targets)
        self.validates = self.config.patience is not None

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Train on the users of a training part and return self; raises DataError if there is nothing to learn from."""
        epochs, patience = self.config.epochs, self.config.patience
        if self.validation is not None and patience is not None:
            trial = self._training(self.validation.train, rng.spawn(1)[0], epochs)
            epochs = self.validation.best_step(self, trial, epochs, patience)
        self._losses = reported(self._training(data, rng, epochs), epochs, self.report)
        return self

    def notes(self) -> list[str]:
        """Return a sentence with the number of epochs, if validation queries decided it."""
        if not self.validates:
            return []
        return [f"{len(self._losses)} of {self.config.epochs} epochs ranked the validation queries best"]

    def _training(self, data: Dataset, rng: np.random.Generator, epochs: int) -> Iterator[float]:
        """Train from the beginning; yield the mean loss after each epoch, when the model can already serve queries."""
        rows, self._ids = self._training_rows(data)
        self._kinds = tuple(kind for kind in data.targets if self.recommends(kind))
        self._sizes = np.array([data.size(kind) for kind in self._kinds], np.int64)
        if not rows.nnz:
            raise DataError(
                f"{self.name}: no item or tag of the training part has as many users as `min_users` asks for"
            )
        self._network = Network.random((len(self._ids), *self.config.widths, len(self._ids)), rng)
        parts = [span for target in self._kinds if (span := self._part(target)).stop > span.start]
        for span in parts:
            initial = log_shares if self.config.loss == "multinomial" else log_odds
            self._network.biases[-1][span] = initial(rows[:, span])
        n_items = self._part("items").stop
        hiding = Hiding(rows, n_items, self.config, rng)
        loss: Loss = Multinomial(rows, parts)
        if self.config.loss == "bce":
            loss = CrossEntropy(rows, n_items, self.config.tag_weight)
        for mean in train(self._network, rows.shape[0], hiding, loss, self.config, epochs, rng):
            self._outputs = {target: self._vectors(target) for target in self._kinds}
            yield mean

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of weights, gradients, Adam's two means, a temporary array and a batch's outputs."""
        outputs = len(self._training_rows(data)[1])
        widths = (outputs, *self.config.widths, outputs)
        weights = sum(above * below for above, below in pairwise(widths))
        return 4 * (5 * weights + 3 * outputs * self.config.batch)

    def _training_rows(self, data: Dataset) -> tuple[Sparse, Ints]:
        """Return the users' non-empty rows, csr [R, C], and each column's id, int32 [C]: items, then other kinds."""
        rows = rows_of(data.queries(np.arange(len(data.users), dtype=np.int32)), self.config)
        kinds = [kind for kind in data.targets if self.recommends(kind)]
        fewest = np.repeat([self.config.fewest_users(kind) for kind in kinds], [data.size(kind) for kind in kinds])
        ids = np.flatnonzero(rows.getnnz(axis=0) >= fewest).astype(np.int32)
        rows = rows[:, ids]
        return rows[np.diff(rows.indptr) > 0], ids

    def _part(self, target: Target) -> slice:
        """Return the places of a target's ids among the outputs of the network, as a slice."""
        first, second = np.searchsorted(self._ids, self._range(target)).tolist()
        return slice(first, second)

    def _range(self, target: Target) -> tuple[int, int]:
        """Return the first id of a target, and the id after its last, in the common numbering of all kinds."""
        ends = np.cumsum([0, *self._sizes])
        place = self._kinds.index(target)
        return int(ends[place]), int(ends[place + 1])

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the last hidden layer and a 1 for each query: float32 [Q, H + 1].

        NaN rows for queries without an item or tag that is an input of the network.
        """
        rows = kernels.take_columns(rows_of(queries, self.config), self._ids)
        hidden = self._network.hidden(unit(rows))
        vectors = np.column_stack((hidden, np.ones(len(hidden), np.float32)))
        vectors[np.diff(rows.indptr) == 0] = np.nan
        return vectors

    def vectors(self, target: Target) -> Floats:
        """Return each id's weights in the output layer and its bias: float32 [N, H + 1].

        NaN rows for ids with fewer users than `min_users`.
        """
        return self._outputs[target]

    def state(self) -> State:
        """Return the network, the ids that are its inputs and outputs, and the mean loss of each epoch."""
        return self._network.state() | {
            "ids": self._ids,
            "sizes": self._sizes,
            "kinds": np.array(self._kinds),
            "losses": self._losses,
        }

    def restore(self, state: State) -> Self:
        """Take the network, its ids and the losses from `state`; return self."""
        self._network = Network.restore(state)
        self._ids, self._sizes, self._losses = state["ids"], state["sizes"], state["losses"]
        self._kinds = tuple(map(str, state["kinds"]))
        self._outputs = {target: self._vectors(target) for target in self._kinds}
        return self

    def _vectors(self, target: Target) -> Floats:
        columns, network = self._part(target), self._network
        first, stop = self._range(target)
        result = np.full((stop - first, self.config.widths[-1] + 1), np.nan, np.float32)
        decoder, bias = network.weights[-1], network.biases[-1]
        result[self._ids[columns] - first] = np.column_stack((decoder.T[columns], bias[columns]))
        return result
