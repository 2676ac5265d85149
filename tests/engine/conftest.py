"""The executor of processes that stands in the docs, for all tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hybridrec import Executor
from tests.docs.markdown import ROOT, marked


@pytest.fixture(scope="session")
def processes() -> Iterator[Executor]:
    """Two processes, which take a while to start."""
    place: dict[str, type] = {}
    exec(marked(ROOT / "docs" / "executors.md", "processes.py"), place)
    executor = place["ProcessExecutor"](2)
    yield executor
    executor.pool.shutdown()
