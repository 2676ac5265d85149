"""Imports from below the public API are named with file, line and the public name."""

from __future__ import annotations

import sys

import pytest

from hybridrec.testing.private_imports import private_imports

SOURCE = '''\
"""A module."""
import hybridrec
import hybridrec.testing
import hybridrec.stages.pool as pools
from hybridrec import Pool, kernels
from hybridrec.stages.pool import Pool as P, PROPENSITY
from hybridrec.stages.kernels import top_k
from hybridrec.engine.keys import digest
from hybridrec.testing import toy_dataset
from hybridrec.testing._helpers import toy
from .model import hybridrec as own
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from hybridrec.data.dataset import Dataset
def late():
    from hybridrec.stages import kernels
    return hybridrec.Pool, hybridrec.testing, hybridrec.data.ragged, hybridrec.__version__
'''
TOLD = [
    "4: hybridrec.stages.pool is not public, and nothing public has this name",
    "6: hybridrec.stages.pool.PROPENSITY is not public: write `from hybridrec import PROPENSITY`",
    "6: hybridrec.stages.pool.Pool is not public: write `from hybridrec import Pool`",
    "7: hybridrec.stages.kernels.top_k is not public: write `from hybridrec import kernels` and `kernels.top_k`",
    "8: hybridrec.engine.keys.digest is not public, and nothing public has this name",
    "10: hybridrec.testing._helpers.toy is not public, and nothing public has this name",
    "14: hybridrec.data.dataset.Dataset is not public: write `from hybridrec import Dataset`",
    "16: hybridrec.stages.kernels is not public: write `from hybridrec import kernels`",
    "17: hybridrec.data is not public, and nothing public has this name",
]


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Imports a package, or a module, of these files, found on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(name, **files):
        for file, text in files.items():
            path = tmp_path / file.replace("__", "/", 1).removesuffix("_py")
            path = path.with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        __import__(name)
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, name, __import__(name))
        return private_imports(name)

    return load


def test_each_use_is_told_with_its_line_and_the_public_name(loaded):
    told = loaded("careless", careless=SOURCE.replace("from .model import hybridrec as own\n", "\n"))
    assert told == [f"careless.py:{line}" for line in TOLD]


def test_every_file_of_a_package_is_read_without_being_run(tmp_path, loaded):
    told = loaded(
        "shopkeeper",
        shopkeeper__init="from hybridrec import Pool\n",
        shopkeeper__deep="raise RuntimeError\nfrom hybridrec.errors import DataError\n",
        shopkeeper__broken="from hybridrec.errors import (\n",
        shopkeeper__other="import numpy\n",
    )
    advice = "hybridrec.errors.DataError is not public: write `from hybridrec import DataError`"
    assert told == [f"shopkeeper/deep.py:2: {advice}"]


def test_a_name_that_only_looks_like_it_is_no_use(loaded):
    text = "import types\nhybridrec = types.SimpleNamespace(data=1)\nprint(hybridrec.data)\nimport hybridrec_tools.x\n"
    files = {"innocent": text.replace("import hybridrec_tools.x\n", "")}
    assert loaded("innocent", **files) == []


def test_the_engine_and_what_has_no_file_have_nothing_to_tell():
    assert private_imports("hybridrec.builtin") == []
    assert private_imports("builtins") == []
    assert private_imports("no_such_module") == []


def test_the_plugins_of_this_repository_keep_the_rule():
    import hybridrec_fusion

    assert private_imports(hybridrec_fusion.__name__) == []
