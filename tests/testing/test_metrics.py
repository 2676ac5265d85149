"""The contract of metrics: those of the project keep it, broken ones do not."""

import pytest

from hybridrec.evaluation.accuracy import ACCURACY_METRICS, Ndcg
from hybridrec.evaluation.beyond_accuracy import BEYOND_METRICS
from hybridrec.testing import MetricContract, run_checks
from tests.broken import (
    Backwards,
    Bare,
    Compares,
    Hits,
    LooksFurther,
    Nameless,
    OneForAll,
    Several,
    Single,
    Spoils,
    Undefined,
)
from tests.testing.outcomes import assert_caught


class TestNdcg(MetricContract):
    metric = Ndcg
    rewards_hits = True


@pytest.mark.parametrize("metric", [*ACCURACY_METRICS, *BEYOND_METRICS])
def test_all_metrics_keep_their_contract(metric):
    contract = type("Suite", (MetricContract,), {"metric": metric, "rewards_hits": metric in ACCURACY_METRICS})
    assert [outcome for outcome in run_checks(contract) if outcome.status == "failed"] == []


BROKEN = [
    (OneForAll, "values_are_well_formed", "float, not an array"),
    (OneForAll, "batch_and_one_by_one_agree", "float, not an array"),
    (Single, "values_are_well_formed", "float32"),
    (Undefined, "has_an_opinion", "NaN for every query"),
    (Compares, "batch_and_one_by_one_agree", "other values"),
    (LooksFurther, "only_the_first_k_places_count", "after k"),
    (Several, "a_set_is_one_number", "ndarray"),
    (Backwards, "hits_in_front_are_not_worse", "at the end"),
    (Spoils, "does_not_write_to_its_input", "writes to a shared array"),
    (Bare, "config_fields_are_documented", "size"),
    (Nameless, "has_a_name_and_a_version", "empty"),
]


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message):
    assert_caught(MetricContract, broken, Hits, check, message, rewards_hits=True)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*MetricContract.checks()} == {check for _, check, _ in BROKEN}
