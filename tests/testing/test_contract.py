"""A known failure of a plugin is expected as long as it fails; a fit that is impossible is reported once."""

import re
from dataclasses import replace

import numpy as np
import pytest

from hybridrec import DataError, Options, PluginError
from hybridrec.testing import ComponentContract, MetricContract, run_checks, toy_dataset, toy_queries
from hybridrec_baselines.popularity import Popularity
from tests.broken import Hits, Single
from tests.testing.outcomes import outcomes, suite


class KnownToFail(Single):
    """A metric of half the precision."""

    expected_failures = {"values_are_well_formed": "single precision is enough for us"}


class TestKnownToFail(MetricContract):
    """pytest reports the declared failure as expected."""

    metric = KnownToFail


def test_expected_failures_are_told_apart():
    by_check = {outcome.check: outcome for outcome in run_checks(TestKnownToFail)}
    assert by_check["values_are_well_formed"].status == "expected failure"
    assert by_check["values_are_well_formed"].message == "single precision is enough for us"
    others = {outcome.status for check, outcome in by_check.items() if check != "values_are_well_formed"}
    assert others == {"passed", "not applicable"}


def test_an_expected_failure_that_passes_is_a_failure():
    mended = type("Mended", (Hits,), {"expected_failures": {"values_are_well_formed": "long ago"}})
    of_check = outcomes(suite(MetricContract, mended), "values_are_well_formed")
    assert [outcome.status for outcome in of_check] == ["failed"]
    assert "remove it from `expected_failures`" in of_check[0].message


def test_one_case_can_be_expected_to_fail():
    class Fragile(Popularity):
        """Fails without tags."""

        expected_failures = {"edge_datasets[no tags]": "divides by the number of tags"}

        def fit(self, data, rng):
            assert data.size("tags") or "tags" not in data.entities
            return super().fit(data, rng)

    of_check = outcomes(suite(ComponentContract, Fragile), "edge_datasets")
    assert {o.case: o.status for o in of_check if o.status != "passed"} == {"{}, no tags": "expected failure"}


class NeedsMany(Popularity):
    """Refuses data of fewer than 100 users, as the toy data are."""

    check_configs = ({"count": "users"}, {"count": "weights"})

    @classmethod
    def check_data(cls):
        return toy_dataset(110, 30, 6)

    def fit(self, data, rng):
        if len(data.users) < 100:
            raise DataError("data of fewer than 100 users are too few")
        return super().fit(data, rng)


class RefusesToFit(Popularity):
    """Fails in the line below."""

    def fit(self, data, rng):
        raise RuntimeError("out of order")


class ForgetsItself(Popularity):
    """Its fit returns nothing."""

    def fit(self, data, rng):
        super().fit(data, rng)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (RefusesToFit, r"RuntimeError: out of order \(test_contract\.py:\d+\)"),
        (ForgetsItself, "PluginError: fit returned None; it must return self"),
    ],
)
def test_what_cannot_be_fitted_is_told_once(broken, message):
    (outcome,) = run_checks(suite(ComponentContract, broken))
    assert (outcome.check, outcome.status) == ("prepare", "failed")
    assert re.fullmatch(message, outcome.message)


def test_an_unknown_check_cannot_be_expected_to_fail():
    wrong = type("Wrong", (Hits,), {"expected_failures": {"values_are_wel_formed": "a slip"}})
    with pytest.raises(PluginError, match="did you mean 'values_are_well_formed'"):
        list(run_checks(suite(MetricContract, wrong)))


class Genres(Hits):
    """Hits among items with a genre, a kind that the toy data lack; `weight` has no default."""

    name = "genres"
    check_configs = ({"weight": 2.0},)

    class Config(Options):
        weight: float
        """The value of a hit."""

    @classmethod
    def check_data(cls):
        toy = toy_dataset(20, 15, 4)
        return replace(
            toy,
            entities=toy.entities | {"genres": toy.entities["tags"]},
            item_has=toy.item_has | {"genres": toy.item_has["tags"]},
        )

    def values(self, eval_batch, k):
        if "genres" not in eval_batch.train.entities:
            return np.full(len(eval_batch.ids), np.nan)
        with_genre = eval_batch.train.item_matrix("genres").getnnz(axis=1) > 0
        return self.config.weight * (eval_batch.hits & with_genre[eval_batch.ids])[:, :k].sum(axis=1)


class TestGenres(MetricContract):
    """pytest needs no more than the class declares."""

    metric = Genres


def test_a_class_brings_options_and_data_for_its_checks():
    outcomes = list(run_checks(suite(MetricContract, Genres)))
    assert {outcome.status for outcome in outcomes} == {"passed", "not applicable"}
    assert {outcome.case for outcome in outcomes} == {'{"weight": 2.0}'}
    assert len(TestGenres().data().items) == 15
    assert len(TestGenres().queries()) == len(toy_queries(toy_dataset()))
    plain = type("Plain", (Genres,), {"check_data": Hits.check_data})
    assert "failed" in {outcome.status for outcome in run_checks(suite(MetricContract, plain))}


def test_the_data_of_a_test_class_go_before_those_of_the_class():
    class Suite(MetricContract):
        metric = Genres
        configs = ({"weight": 1},)

        def data(self):
            return toy_dataset(8, 6, 2)

    assert Suite.parameters()["options"] == {'{"weight": 1}': {"weight": 1}}
    assert Suite().eval_batch().train.size("items") == 6


def test_data_of_another_type_are_refused():
    wrong = type("Wrong", (Hits,), {"check_data": classmethod(lambda cls: [1, 2])})
    with pytest.raises(PluginError, match=r"Wrong\.check_data must return a Dataset or None, not list"):
        suite(MetricContract, wrong)().data()


def test_components_are_checked_on_data_of_their_own():
    statuses = {o.check: o.status for o in run_checks(suite(ComponentContract, NeedsMany))}
    assert {*statuses.values()} == {"passed", "not applicable"}
    assert statuses["memory_is_as_estimated"] == "not applicable"
    assert statuses["batch_and_one_by_one_agree"] == "passed"


def test_each_check_is_told_before_it_begins():
    began = []
    run = run_checks(suite(MetricContract, Hits), began.append)
    first = next(run)
    assert began == ["prepare", first.check]
    assert began[1:] + [o.check for o in run][:0] == [first.check]
    assert began == ["prepare", *MetricContract.checks()]
