"""The contract of filters: broken ones do not keep it."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Exclude, Filter
from hybridrec.testing import FilterContract
from tests.testing.outcomes import SHARED, assert_caught


class Rare(Filter):
    """Items with few users are left out."""

    name = "rare"

    def fit(self, data):
        self.rare = np.asarray(data.interactions.matrix().sum(axis=0)).ravel() < 10
        return self

    def exclude(self, queries, target):
        return Exclude(ids=self.rare) if target == "items" else Exclude()

    def state(self):
        return {"rare": self.rare}

    def restore(self, state):
        self.rare = state["rare"]
        return self


class OneRow(Rare):
    """The same row for a batch of any size."""

    def exclude(self, queries, target):
        return Exclude(rows=csr_matrix(self.rare[None])) if target == "items" else Exclude()


class LooksAround(Rare):
    """Exclusion of the items that several queries of the batch hold."""

    def exclude(self, queries, target):
        held = np.asarray(queries.history.matrix().sum(axis=0)).ravel() > 1
        return Exclude(ids=held) if target == "items" else Exclude()


class Moody(Rare):
    """Another choice with every fit."""

    count = 0

    def fit(self, data):
        Moody.count += 1
        self.rare = np.arange(len(data.items)) == Moody.count
        return self


class Forgets(Rare):
    """Restored it leaves out nothing."""

    def restore(self, state):
        self.rare = np.zeros_like(state["rare"])
        return self


class Spoils(Rare):
    """Writes to the history of the queries."""

    def exclude(self, queries, target):
        queries.history.ids[:] = 0
        return super().exclude(queries, target)


BROKEN = [
    (OneRow, "exclusions_are_well_formed", "rows must have the shape"),
    (LooksAround, "batch_and_one_by_one_agree", "other ids alone than in a batch"),
    (Moody, "same_data_same_exclusion", "other ids from the same data"),
    (Forgets, "state_survives_a_file", "other ids after restore"),
    (Spoils, "does_not_write_to_its_input", "writes to a shared array"),
]


@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message):
    assert_caught(FilterContract, broken, Rare, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*FilterContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
