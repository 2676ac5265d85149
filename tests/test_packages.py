"""First-party packages are listed once, as entry points; what cannot take a folder is held to that list."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENTRY_POINTS: dict[str, str] = PROJECT["project"]["entry-points"]["hybridrec"]
PLUGINS = {module for module in ENTRY_POINTS.values() if not module.startswith("hybridrec.")}
LINTER = PROJECT["tool"]["importlinter"]


def test_every_package_in_the_folder_is_an_entry_point_of_its_name():
    assert {path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists()} == PLUGINS
    assert all(module in (f"hybridrec_{name}", "hybridrec.builtin") for name, module in ENTRY_POINTS.items())


def test_import_linter_knows_the_same_packages():
    assert set(LINTER["root_packages"]) == PLUGINS | {"hybridrec"}
    (contract,) = (entry for entry in LINTER["contracts"] if entry["name"] == "plugins stand on the public API alone")
    assert set(contract["source_modules"]) == PLUGINS


def test_plugins_may_import_no_folder_of_the_core():
    """`hybridrec.testing` is public; every other module is reached through the names of `hybridrec` alone."""
    (contract,) = (entry for entry in LINTER["contracts"] if entry["name"] == "plugins stand on the public API alone")
    modules = {
        path.stem for path in (ROOT / "hybridrec").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    closed = {module.removeprefix("hybridrec.") for module in contract["forbidden_modules"]}
    assert modules - closed == {"__init__", "__main__", "plugin", "testing", "types"}
