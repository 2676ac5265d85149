"""Plugins made of their source, visible as if pip had installed them: sound ones, and one for each fault."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SOUND = '''
from hybridrec import Candidates, Generator, hookimpl


class Nothing(Generator):
    """Proposes nothing."""

    name = "nothing"

    def fit(self, data, rng):
        return self

    def candidates(self, queries, k, target, exclude):
        return Candidates.empty(len(queries), k)

    def state(self):
        return {}

    def restore(self, state):
        return self


@hookimpl
def hybridrec_components():
    return [Nothing]
'''
FIRST_ITEMS = '''
import numpy as np
from hybridrec import Candidates, Generator, Options, hookimpl


class FirstItems(Generator):
    """Proposes the first items by id."""

    name = "first-items"

    def fit(self, data, rng):
        self.size = len(data.items)
        return self

    def candidates(self, queries, k, target, exclude):
        ids = np.tile(np.arange(k, dtype=np.int32), (len(queries), 1))
        scores = np.tile(np.linspace(1, 0, k, dtype=np.float32), (len(queries), 1))
        return Candidates(ids, scores)

    def state(self):
        return {"size": np.array(self.size)}

    def restore(self, state):
        self.size = int(state["size"])
        return self


@hookimpl
def hybridrec_components():
    return [FirstItems]
'''
DROPS_CANDIDATES = '''
from dataclasses import replace
from hybridrec import Reranker, hookimpl


class FirstTwo(Reranker):
    """Keeps the first two candidates only."""

    name = "drops-candidates"
    targets = ("items", "tags")

    def rerank(self, queries, pool, n):
        return replace(pool, ids=pool.ids[:, :2], final=pool.columns["ease"][:, :2])


@hookimpl
def hybridrec_components():
    return [FirstTwo]
'''


def altered(source: str, *changes: tuple[str, str]) -> str:
    """Return the source with pieces of its text replaced, each of which it must have."""
    for old, new in changes:
        assert old in source, f"{old!r} is not in the source any more"
        source = source.replace(old, new)
    return source


def misbehaving(name: str, *changes: tuple[str, str]) -> str:
    """Return `FIRST_ITEMS` under the name of its fault, with pieces of its text replaced."""
    return altered(FIRST_ITEMS, ('"first-items"', f'"{name}"'), *changes)


RETURN = "        return Candidates(ids, scores)"
PRIVATE = "from hybridrec import Generator, hookimpl\nfrom hybridrec.stages.candidates import Candidates"
HUNGRY = "        pairs = np.ones((self.size, self.size, 8), np.float32)\n        return self if len(pairs) else None\n"
FIRST_DOC = "Proposes the first items by id."
DECLARED = '''
    check_configs = ({"path": "a.txt"}, {"path": "b.txt"})

    class Config(Options):
        path: str
        """A file, which is not read."""

    @classmethod
    def check_data(cls):
        from hybridrec.testing import toy_dataset

        return toy_dataset(users=30, items=200)
'''
SOURCES = {
    "good": SOUND,
    "clash": altered(SOUND, ('"nothing"', '"ease"')),
    "slow_import": "import time\nfrom hybridrec import hookimpl\ntime.sleep(0.05)\n"
    "@hookimpl\ndef hybridrec_components():\n    return []\n",
    # cannot be loaded
    "import_error": 'raise RuntimeError("half of me is missing")',
    "missing_dependency": "import no_such_library",
    "exit_at_import": 'import sys\nsys.exit("no licence")',
    "misspelt_hook": altered(SOUND, ("def hybridrec_components", "def hybridrec_component")),
    "wrong_signature": altered(SOUND, ("def hybridrec_components()", "def hybridrec_components(config)")),
    "unmarked_hook": altered(SOUND, ("@hookimpl\n", "")),
    "not_a_class": altered(SOUND, ("[Nothing]", '["nothing"]')),
    "not_a_list": altered(SOUND, ("[Nothing]", "Nothing")),
    "wrong_kind": altered(SOUND, ("hybridrec_components", "hybridrec_readers")),
    "abstract": altered(SOUND, ("def candidates(", "def candidate_pool(")),
    "nameless": altered(SOUND, ('    name = "nothing"\n', "")),
    "old_api": 'requires_api = "0.9"',
    "new_api": 'requires_api = "1.99"',
    # return what they may not
    "nan_scores": misbehaving("nan-scores", (RETURN, f"        scores[:, 2] = np.nan\n{RETURN}")),
    "wrong_dtype": misbehaving("wrong-dtype", ("(ids, scores)", "(ids, scores.astype(np.float64))")),
    "ids_out_of_range": misbehaving("ids-out-of-range", (RETURN, f"        ids[:, -1] = self.size\n{RETURN}")),
    "drops_candidates": DROPS_CANDIDATES,
    # are made of what they may not use, or tell too little of themselves
    "private_imports": altered(
        SOUND,
        ("from hybridrec import Candidates, Generator, hookimpl", PRIVATE),
        ('name = "nothing"', 'name = "private-imports"\n    needs = frozenset({"items"})'),
    ),
    "hungry": misbehaving("hungry", ("        return self\n\n    def candidates", f"{HUNGRY}\n    def candidates")),
    "declares_checks": misbehaving("declares-checks", (f'"""{FIRST_DOC}"""', f'"""{FIRST_DOC}"""\n{DECLARED}')),
}
"""Sources of plugins by what is wrong with them."""
VERSIONS = {"good": "1.2", "clash": "9.9", "import_error": "0.3", "drops_candidates": "1.7"}
"""Versions of those whose version is not 1.0."""
ENTRY_POINTS = {"good": "tags"}
"""Names of entry points that differ from the name: a first-party plugin has this one, too."""


def install(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    source: str,
    *,
    version: str = "1.0",
    entry_point: str | None = None,
) -> Path:
    """Write the module `NAME_plugin` of the distribution and plugin `name`, and put it on the path; return its path.

    The distribution has dashes for underscores; the entry point has the name of the plugin unless told otherwise.
    """
    folder.mkdir(exist_ok=True)
    module = folder / f"{name}_plugin.py"
    module.write_text(source, encoding="utf-8")
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[hybridrec]\n{entry_point or name} = {module.stem}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module.stem, raising=False)
    return module
