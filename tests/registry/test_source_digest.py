"""The digest of a class changes with everything that it reaches, and with nothing else."""

import importlib
import linecache
import subprocess
import sys

import pytest

from hybridrec.registry.source_digest import is_installed, source_digest

TEXT = '''
import functools, threading
import numpy as np
import beside
from beside import near

LIMIT = 3
WORDS = {"a", "b", "c"}
TABLE = {"call": lambda x: x + 1, "list": [1, 2]}
ARRAY = np.arange(4)
UNUSED = 1
OFFSET = 0
LOCK = threading.Lock()


def decorated(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments) + 10
    return wrapper


@functools.cache
def kept(x):
    return x * 2


@decorated
def shifted(x):
    return x + OFFSET


class Options:
    limit: int = 4


class Base:
    def __init__(self):
        self.value = LIMIT


def make(step):
    def stepped(x):
        return x + step
    return stepped


stepped = make(5)


class Model(Base):
    """A model."""

    Config = Options
    size = 7

    @property
    def half(self):
        return self.value / 2

    def fit(self, x=4):
        # a comment
        import lazy
        return kept(x) + shifted(x) + stepped(x) + TABLE["call"](x) + near(x) + beside.far(x) + ARRAY.sum() + len(WORDS)
'''
EVERYWHERE = "76aca848dd4087e852a2364cd839607c"
"""The digest of the texts, made under 3.11 and found again under 3.12 and 3.13."""
BESIDE = "import below\n\n\ndef near(x):\n    return x\n\n\ndef far(x):\n    return x\n"


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Writes the modules with pieces replaced, imports them anew, and returns the digest of the class."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files change within a second here

    def made(*replacements, compiled=True, **modules):
        text = TEXT
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        texts = {"reaching": text, "beside": BESIDE, "below": "x = 1\n", "lazy": "x = 1\n"} | modules
        for name, content in texts.items():
            (tmp_path / f"{name}.py").write_text(content)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        linecache.clearcache()
        cls = importlib.import_module("reaching").Model
        return source_digest(cls, compiled=compiled)

    yield made
    for name in ("reaching", "beside", "below", "lazy"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "edit",
    [
        ("LIMIT = 3", "LIMIT = 4"),
        ('{"a", "b", "c"}', '{"a", "b", "d"}'),
        ("x + 1", "x + 2"),
        ("[1, 2]", "[1, 3]"),
        ("np.arange(4)", "np.arange(5)"),
        ("+ 10", "+ 11"),
        ("return x * 2", "return x * 3"),
        ("limit: int = 4", "limit: int = 5"),
        ("limit: int = 4", "limit: float = 4"),
        ("self.value = LIMIT", "self.value = LIMIT + 1"),
        ("make(5)", "make(6)"),
        ("OFFSET = 0", "OFFSET = 1"),
        ("size = 7", "size = 8"),
        ("self.value / 2", "self.value / 3"),
        ("x=4", "x=5"),
        ("near(x) + ", ""),
    ],
    ids=str,
)
def test_it_changes_with_what_the_class_reaches(digest, edit):
    assert digest(edit) != digest() is not None
    assert digest(edit, compiled=False) != digest(compiled=False) != digest()


@pytest.mark.parametrize(
    "edit", [("UNUSED = 1", "UNUSED = 2"), ("# a comment", "# another"), ("\nLIMIT", "\n\n\n\nLIMIT")]
)
def test_it_stays_with_everything_else(digest, edit):
    assert digest(edit) == digest()


def test_a_digest_of_texts_is_the_same_under_every_version_of_python(digest):
    assert digest(compiled=False) == EVERYWHERE
    assert digest(("# a comment", "# another"), compiled=False) != EVERYWHERE
    assert digest(("UNUSED = 1", "UNUSED = 2"), compiled=False) == EVERYWHERE


@pytest.mark.parametrize("module", ["beside", "below", "lazy"])
def test_modules_beside_it_count_with_those_that_they_import(digest, module):
    assert digest(**{module: f"{BESIDE}\n\nx = 2\n"}) != digest()


def test_it_is_the_same_in_another_process_whatever_the_order_of_sets(digest, tmp_path):
    here = digest()
    code = "import reaching; from hybridrec.registry.source_digest import source_digest as d; print(d(reaching.Model))"
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == here


def test_a_text_that_was_edited_and_not_imported_again_is_neither_the_old_nor_the_new_one(digest, tmp_path):
    new, old = digest(("x=4", "x=5")), digest()
    (tmp_path / "reaching.py").write_text(TEXT.replace("x=4", "x=5"))
    linecache.clearcache()
    assert source_digest(sys.modules["reaching"].Model) not in (None, old, new)


def test_a_value_that_cannot_be_written_down_counts_as_the_file_of_the_module(digest):
    used = ("return kept(x)", "return LOCK and kept(x)")
    assert digest(used) is not None
    assert digest(used, ("UNUSED = 1", "UNUSED = 2")) != digest(used)


@pytest.mark.parametrize("text", ["class Model:\n    pass\n", "class Model:\n    def fit(self):\n        return 1\n"])
def test_without_source_there_is_no_digest(text):
    module = sys.modules["typed_in"] = type(sys)("typed_in")
    exec(text, vars(module))
    assert source_digest(module.Model) is None


def test_installed_modules_are_told_from_those_beside(digest):
    digest()
    assert [is_installed(name) for name in ("numpy.linalg", "json", "hybridrec.data", "sys")] == [True] * 4
    assert not is_installed("beside")
