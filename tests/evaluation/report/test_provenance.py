"""The origin of the numbers: the data, the fits, this process and its packages."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.evaluation.report import DataReport, Environment, FitReport, SecondsReport
from hybridrec.testing import toy_dataset


def test_data_is_counted_and_known_by_its_fingerprint():
    data = toy_dataset()
    counted = DataReport.of(data)
    assert (counted.users, counted.items, counted.entities) == (60, 40, {"tags": 12})
    assert counted.interactions == len(data.interactions.ids)
    assert counted.fingerprint == data.fingerprint
    assert DataReport.of(data.hide(data.interactions.ids == 0)).fingerprint != counted.fingerprint


def test_versions_are_of_the_packages_that_are_installed():
    environment = Environment.current(["pydantic", "numpy", "no-such-package"])
    assert list(environment.packages) == ["numpy", "pydantic"]
    assert environment.packages["numpy"] == np.__version__
    assert (environment.python, environment.cores >= 1) == (platform.python_version(), True)


STAGES = ("start", "read", "split", "fit", "generate", "score", "rerank", "evaluate", "refit", "write", "other")
FIT = {
    "label": "als",
    "component": "als",
    "version": "1",
    "fold": "test",
    "level": "full",
    "seconds": 1,
    "cached": False,
}


@pytest.mark.parametrize("key", ["../runs", "a" * 31, "A" * 32, "", "a" * 32 + "\n"])
def test_a_key_that_is_no_name_of_a_file_in_the_store_is_refused(key):
    assert FitReport(key="a" * 32, **FIT).repeat == 1
    with pytest.raises(ValidationError, match="key"):
        FitReport(key=key, **FIT)


def test_stages_that_took_no_time_are_zero_and_the_total_is_required():
    assert SecondsReport(total=2.0).model_dump() == {**dict.fromkeys(STAGES, 0), "total": 2.0}
    with pytest.raises(ValidationError, match="total"):
        SecondsReport(fit=1.0)
