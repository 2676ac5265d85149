"""Plugins that break their contracts, each beside a sound one of its kind."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import Fold, InputPath, Metric, Normaliser, Options, Reader, Segmenter, SetMetric, Splitter
from hybridrec.testing import toy_dataset


class Same(Normaliser):
    """As it is."""

    name = "same"

    def scale(self, values):
        return values


class Fills(Same):
    def scale(self, values):
        return np.nan_to_num(values)


class OfTheBatch(Same):
    def scale(self, values):
        return values / np.float32(len(values) + 1)


class UpsideDown(Same):
    def scale(self, values):
        return -values


class InPlace(Same):
    def scale(self, values):
        values += 1
        return values


class FileOptions(Options):
    """Options of a reader of one file."""

    path: InputPath = Path("plays.json")
    """The file."""


class GoodReader(Reader):
    """The toy, whatever the file says."""

    name = "good"
    Config = FileOptions
    data = staticmethod(toy_dataset)

    def read(self):
        if not self.config.path.exists():
            from hybridrec import DataError

            raise DataError(f"{self.config.path}: no such file")
        return self.data()


class Empty(GoodReader):
    def data(self):
        data = toy_dataset()
        return data.hide(np.ones(len(data.interactions.ids), bool))


class Claims(GoodReader):
    @classmethod
    def recognises(cls, files):
        return {"path": "anything"}


class BadWeights(GoodReader):
    def data(self):
        data = toy_dataset()
        weights = np.full(len(data.interactions.ids), np.nan, np.float32)
        return replace(data, interactions=replace(data.interactions, weights=weights))


class Changing(GoodReader):
    def data(self):
        data = toy_dataset()
        return data.hide(np.random.default_rng().random(len(data.interactions.ids)) < 0.5)


class Objects(GoodReader):
    def data(self):
        data = toy_dataset()
        weights = np.ones(len(data.interactions.ids), object)
        return replace(data, interactions=replace(data.interactions, weights=weights))


class NoDataError(GoodReader):
    def read(self):
        return self.data()


class Halves(Splitter):
    """Every second pair of a user is hidden."""

    name = "halves"

    def split(self, data, rng):
        yield self.fold("test", data, rng)

    def validation_split(self, train, rng):
        return self.fold("validation", train, rng)

    def fold(self, name, data, rng):
        keys, of = np.unique(data.pairs, return_inverse=True)
        train = data.hide((rng.random(len(keys)) < 0.3)[of])
        truth = (data.interactions.matrix(binary=True) - train.interactions.matrix(binary=True)).tocsr()
        truth.eliminate_zeros()
        users = np.flatnonzero(np.diff(truth.indptr)).astype(np.int32)
        tags = (data.user_matrix("tags").sign() - train.user_matrix("tags").sign()).tocsr()[users]
        tags.eliminate_zeros()
        return Fold(
            name, train, train.queries(users), {"items": truth[users], "tags": tags}, users, np.ones(len(users))
        )


class Leaks(Halves):
    def fold(self, name, data, rng):
        fold = super().fold(name, data, rng)
        return replace(fold, queries=data.queries(fold.units))


class TrainsOnEverything(Halves):
    def fold(self, name, data, rng):
        return replace(super().fold(name, data, rng), train=data)


class Weightless(Halves):
    def fold(self, name, data, rng):
        fold = super().fold(name, data, rng)
        return replace(fold, weights=fold.weights * 0)


class ForgetsTags(Halves):
    def fold(self, name, data, rng):
        fold = super().fold(name, data, rng)
        return replace(fold, truth={"items": fold.truth["items"]})


class AsksForNothing(Halves):
    def fold(self, name, data, rng):
        fold = super().fold(name, data, rng)
        return replace(fold, truth={target: csr_matrix(matrix.shape) for target, matrix in fold.truth.items()})


class UnseededSplit(Halves):
    def fold(self, name, data, rng):
        return super().fold(name, data, np.random.default_rng())


class WritesToTheData(Halves):
    def fold(self, name, data, rng):
        data.interactions.weights[:] = 1
        return super().fold(name, data, rng)


class Hits(Metric):
    """Relevant ids among the first k."""

    name = "hits"

    def values(self, eval_batch, k):
        return eval_batch.hits[:, :k].sum(axis=1).astype(np.float64)


class OneForAll(Hits):
    def values(self, eval_batch, k):
        return float(super().values(eval_batch, k).mean())


class Single(Hits):
    def values(self, eval_batch, k):
        return super().values(eval_batch, k).astype(np.float32)


class Undefined(Hits):
    def values(self, eval_batch, k):
        return super().values(eval_batch, k) * np.nan


class Compares(Hits):
    def values(self, eval_batch, k):
        return super().values(eval_batch, k) - len(eval_batch.ids)


class LooksFurther(Hits):
    def values(self, eval_batch, k):
        return super().values(eval_batch, k + 1)


class Backwards(Hits):
    def values(self, eval_batch, k):
        return -super().values(eval_batch, k)


class Spoils(Hits):
    def values(self, eval_batch, k):
        eval_batch.hits[:] = True
        return super().values(eval_batch, k)


class AtOptions(Options):
    at: int = 10
    """A key that the config takes for the cut-off."""


class TakesTheCutOff(Hits):
    Config = AtOptions


class Several(SetMetric):
    """No number."""

    name = "several"

    def value(self, folds, k):
        return np.zeros(len(folds))


class Lengths(Segmenter):
    """Long and short histories."""

    name = "lengths"

    def segment(self, queries, data):
        return np.where(queries.history.lengths > 2, "long", "short")


class LabelOptions(Options):
    as_: str = Field("", alias="as")
    """A key that the config takes for the name in reports."""


class TakesTheLabel(Lengths):
    Config = LabelOptions


class Unnamed(Lengths):
    def segment(self, queries, data):
        return np.where(queries.history.lengths > 2, "long", "")


class BesideTheMean(Lengths):
    def segment(self, queries, data):
        lengths = queries.history.lengths
        return np.where(lengths > lengths.sum() / max(len(lengths), 1), "long", "short")


class Draws(Lengths):
    def segment(self, queries, data):
        self.calls = getattr(self, "calls", 0) + 1
        return np.full(len(queries), "first" if self.calls == 1 else "later")


class NeedsVectors(Lengths):
    def segment(self, queries, data):
        return np.full(len(queries), "blind" if data.items.vectors is None else "seeing")


class ForgetsTimes(Lengths):
    def segment(self, queries, data):
        queries.history.times[:] = 0
        return super().segment(queries, data)


class BareOptions(Options):
    size: int = 1


class Bare(Hits):
    Config = BareOptions


class Nameless(Hits):
    name = ""
