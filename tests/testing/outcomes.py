"""Contract suites run on broken plugins: a check catches the broken one, and passes the sound one beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybridrec.testing import run_checks
from hybridrec.testing.contract import Contract, Outcome

SHARED = {"config_fields_are_documented", "has_a_name_and_a_version"}
"""Checks that all plugins share: tests/testing/test_metrics.py breaks them."""


def outcomes(contract: type[Contract], check: str) -> list[Outcome]:
    """Run one check in all its cases, and return their outcomes."""
    alone = type(contract.__name__, (contract,), {"checks": classmethod(lambda _: [check])})
    with np.errstate(all="ignore"):
        return list(run_checks(alone))


def suite(contract: type[Contract], subject: Any, **given: Any) -> type[Contract]:
    """Return the suite of this subject, with these class attributes."""
    return type("Suite", (contract,), {contract.role: subject, **given})


def assert_caught(contract: type[Contract], broken: Any, sound: Any, check: str, message: str, **given: Any) -> None:
    """Assert that the check fails for the broken plugin with this message, and not for the sound one."""
    passed = {outcome.status for outcome in outcomes(suite(contract, sound, **given), check)}
    assert passed <= {"passed", "not applicable"}
    failed = [outcome for outcome in outcomes(suite(contract, broken, **given), check) if outcome.status == "failed"]
    assert failed
    assert message in failed[0].message
