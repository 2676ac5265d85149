"""The contract of normalisers: those of the project keep it, broken ones do not."""

import pytest

import hybridrec_fusion
from hybridrec.testing import NormaliserContract, run_checks
from tests.broken import Fills, InPlace, OfTheBatch, Same, UpsideDown
from tests.testing.outcomes import SHARED, assert_caught


@pytest.mark.parametrize("normaliser", hybridrec_fusion.hybridrec_normalisers())
def test_all_normalisers_keep_their_contract(normaliser):
    contract = type("Suite", (NormaliserContract,), {"normaliser": normaliser})
    assert [outcome for outcome in run_checks(contract) if outcome.status == "failed"] == []


BROKEN = [
    (Fills, "values_are_well_formed", "a number in place of NaN"),
    (OfTheBatch, "batch_and_one_by_one_agree", "in a batch"),
    (UpsideDown, "keeps_the_order", "became the lower"),
    (InPlace, "does_not_write_to_its_input", "writes to a shared array"),
]


@pytest.mark.filterwarnings("ignore:All-NaN", "ignore:invalid value")
@pytest.mark.parametrize(
    ("broken", "check", "message"), BROKEN, ids=[f"{broken.__name__}-{check}" for broken, check, _ in BROKEN]
)
def test_each_check_catches_a_plugin_that_breaks_it(broken, check, message):
    assert_caught(NormaliserContract, broken, Same, check, message)


def test_every_check_has_a_plugin_that_breaks_it():
    assert {*NormaliserContract.checks()} - SHARED == {check for _, check, _ in BROKEN}
