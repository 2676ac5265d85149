"""The executor of processes that stands in the docs, for all tests of the engine."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from hybridrec import Executor
from tests.docs.markdown import ROOT, marked


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module of the page."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "pool.py").write_text(marked(ROOT / "docs" / "plugins" / "executor.md", "pool.py"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return importlib.import_module("pool")


@pytest.fixture(scope="session")
def processes(page: ModuleType) -> Iterator[Executor]:
    """Two processes, which take a while to start."""
    executor = page.PoolExecutor(2)
    yield executor
    executor.pool.shutdown()
