"""A known failure of a plugin is expected as long as it fails; a fit that is impossible is reported once."""

import re

import pytest

from hybridrec import PluginError
from hybridrec.testing import ComponentContract, MetricContract, run_checks
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
