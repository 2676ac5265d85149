"""Tests of the benchmarks that need no other environment: each runs on small data."""

import pytest

from benchmarks.__main__ import BENCHMARKS


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blends", "hybrid", "large", "sharing"])
def test_the_benchmark_runs_on_small_data(name: str, tmp_path, monkeypatch):
    monkeypatch.setenv("HYBRIDREC_BENCHMARKS", str(tmp_path))
    works = BENCHMARKS[name](quick=True)
    assert works
    assert all(seconds > 0 for work in works for way in work.ways.values() for seconds in way.cpu)
