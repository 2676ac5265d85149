"""The table of kinds is all that discovery, checks, pages and commands know of what plugins may offer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs import reference
from hybridrec import scaffold
from hybridrec.errors import ConfigError
from hybridrec.registry import kinds
from hybridrec.registry.describe import describe
from hybridrec.registry.discovery import Registry
from hybridrec.testing.contract import Contract
from hybridrec.testing.runner import classes_of, contracts_of
from tests.fake_plugin import install

TOASTERS = kinds.Kind(
    "toaster",
    "toaster_plugin:Toaster",
    "Toaster classes: what `toast` may say.",
    (kinds.Role("toaster", "toaster_plugin:Toaster", "toaster_plugin:ToasterContract", "{toast: {use: $name}}"),),
)
MODULE = '''
from hybridrec import Generator, Plugin, hookimpl
from hybridrec.testing import Contract


class Toaster(Plugin):
    """Makes toast."""


class ToasterContract(Contract):
    """What a toaster owes."""

    role = "toaster"

    def test_is_hot(self, options):
        """It is hot."""
        assert self.toaster.hot


class Cold(Toaster):
    """Makes bread."""

    name = "cold"
    hot = False


@hookimpl
def hybridrec_toasters():
    return [Cold]
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module of a plugin that offers a toaster, installed."""
    return install(tmp_path, monkeypatch, "toaster", MODULE)


@pytest.fixture
def toasters(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and a row for its kind in the table."""
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, TOASTERS))
    return plugin


def test_without_its_row_the_hook_of_a_kind_is_unknown(plugin: Path):
    (broken,) = Registry().broken
    assert "unknown hook 'hybridrec_toasters'" in str(broken.error)


def test_a_row_makes_a_kind_known_to_discovery(toasters: Path):
    registry = Registry()
    assert registry.names("toasters") == ["cold"]
    assert registry.provider("toaster").offers == {"toasters": ["cold"]}
    with pytest.raises(ConfigError, match="unknown toaster 'colt': did you mean 'cold'"):
        registry.get("toasters", "colt")


@pytest.mark.parametrize(
    ("offer", "message"),
    [
        ("Plugin", "Plugin does not derive from any of Component, "),
        ("Generator", "hybridrec_toasters returned Generator, which belongs in hybridrec_components"),
        ("7", "hybridrec_toasters must return classes derived from Toaster, got 7"),
        ("Toaster", "Toaster has no `name`"),
    ],
)
def test_a_row_makes_a_kind_known_to_the_checks_of_plugins(toasters: Path, offer: str, message: str):
    toasters.write_text(MODULE.replace("[Cold]", f"[{offer}]"))
    (broken,) = Registry().broken
    assert message in str(broken.error)


def test_a_row_makes_a_kind_known_to_plugins_and_show(toasters: Path, call):
    assert "toasters: cold" in call("plugins")[1]
    assert call("show")[1].splitlines()[-1].split() == ["toasters", "cold"]
    status, out, _ = call("show", "cold")
    assert status == 0
    assert "cold (toaster, version 1, from toaster 1.0)" in out
    assert "toast: {use: cold}" in out


def test_a_row_makes_a_kind_known_to_its_contract(toasters: Path, call):
    (cls,) = classes_of("toaster", Registry())
    assert [suite.__name__ for suite in contracts_of(cls)] == ["ColdToasterContract"]
    status, _, err = call("check-plugin", "toaster")
    assert status == 3
    assert "cold: is_hot" in err


def test_a_row_makes_the_hook_of_a_kind_documented(toasters: Path):
    from hybridrec.registry import hookspecs

    hook = vars(hookspecs.offer_hooks())["hybridrec_toasters"]
    assert reference.signature(hook) == "() -> Sequence[type[Toaster]]"
    assert hook.__doc__ == TOASTERS.summary


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_what_a_row_names_is_there(kind: kinds.Kind):
    assert isinstance(kinds.resolve(kind.base), type)
    for role in kind.roles:
        assert issubclass(kinds.resolve(role.base), kinds.resolve(kind.base))
        assert issubclass(kinds.resolve(role.contract), Contract)
        assert (scaffold.TEMPLATES / role.name).is_dir()


@pytest.mark.parametrize("name", ["mmr", "content-popularity", "zscore", "setlists", "cold-items", "coverage"])
def test_what_a_page_shows_is_how_the_table_says_it_is_used(name: str):
    (page,) = describe(name, Registry())
    assert name in page.example
    assert "$" not in page.example


def test_the_registry_imports_no_readers_splitters_or_metrics_of_its_own():
    program = (
        "import sys; from hybridrec.registry.discovery import Registry; Registry([]);"
        "print(*[name for name in sys.modules if name.startswith(('hybridrec.data.readers', 'hybridrec.data.splits',"
        " 'hybridrec.evaluation'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
