"""A component under test is handed the base model that its options name, and one that does not suit is refused."""

from typing import Annotated

import numpy as np
import pytest

from hybridrec import Component, ComponentRef, DenseModel, Options, PluginError, VectorModel
from hybridrec.testing import ComponentContract, run_checks
from hybridrec.testing.base_models import ToyVectors
from tests.testing.outcomes import assert_caught, suite


class Counts(DenseModel):
    """A component without vectors: how many users have an item."""

    name = "counts"

    def fit(self, data, rng):
        return self.restore({kind: data.user_matrix(kind).getnnz(axis=0).astype(np.float32) for kind in data.targets})

    def scores(self, queries, target):
        return np.tile(self.counts[target], (len(queries), 1))

    def state(self):
        return dict(self.counts)

    def restore(self, state):
        self.counts = dict(state)
        return self


class CountedOptions(Options):
    """Options of `counted`."""

    uses: Annotated[str, ComponentRef(Counts)]
    """Label of the component that counts."""


class Counted(DenseModel):
    """The counts of another component, negative: rare ids first."""

    name = "counted"
    Config = CountedOptions

    def use(self, model):
        self._counts = model
        return self

    def fit(self, data, rng):
        return self

    def scores(self, queries, target):
        return -self._counts.scores(queries, target)

    def state(self):
        return {}

    def restore(self, state):
        return self


class Greedy(Counted):
    """Takes what it was lent for its own and writes to it."""

    def fit(self, data, rng):
        self._counts.counts["items"][0] = 7
        return self


class NearOptions(Options):
    """Options of `near`."""

    uses: Annotated[str, ComponentRef(VectorModel)]
    """Label of the component whose vectors are searched."""


class Near(VectorModel):
    """The vectors of another component."""

    name = "near"
    Config = NearOptions

    def use(self, model: VectorModel):
        self._model, self.needs, self.targets = model, model.needs, model.targets
        return self

    def fit(self, data, rng):
        return self

    def query_vectors(self, queries, target):
        return self._model.query_vectors(queries, target)

    def vectors(self, target):
        return self._model.vectors(target)

    def state(self):
        return {}

    def restore(self, state):
        return self


class TestToyVectors(ComponentContract):
    component = ToyVectors
    learns_the_checkerboard = ("items", "tags")


class TestNearOnVectorsOfTheSuite(ComponentContract):
    component = Near
    configs = ({"uses": "any"},)
    learns_the_checkerboard = ("items", "tags")


class TestCountedOnAClassOfItsOwn(ComponentContract):
    component = Counted
    configs = ({"uses": "any"},)
    base_model: type[Component] = Counts


def test_a_base_model_of_another_class_is_refused_before_any_check():
    unfit = suite(ComponentContract, Counted, configs=({"uses": "any"},))
    assert unfit.unfit({"uses": "any"}) == (
        "'counted' needs a counts for its option `uses`: name a class of it as `base_model` of the contract"
    )
    (outcome,) = run_checks(unfit)
    assert outcome.status == "failed"
    assert "name a class of it as `base_model`" in outcome.message
    with pytest.raises(PluginError, match="`base_model`"):
        unfit().prepare({"uses": "any"})


def test_what_was_lent_must_not_be_written_to():
    given = {"configs": ({"uses": "any"},), "base_model": Counts}
    check = "does_not_write_to_its_input"
    assert_caught(ComponentContract, Greedy, Counted, check, "changed what it was given: base_model.items", **given)
