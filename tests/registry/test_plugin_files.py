"""`plugin:NAME/FILE` is a file in the package of that plugin, and nothing outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridrec import ConfigError
from hybridrec.registry.discovery import Registry
from hybridrec.registry.plugin_files import located
from tests import fake_plugin


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed plugin that is a package with a config in a folder."""
    module = fake_plugin.install(tmp_path, monkeypatch, "shipping", fake_plugin.SOUND)
    folder = module.with_suffix("")
    (folder / "configs").mkdir(parents=True)
    module.rename(folder / "__init__.py")
    (folder / "configs" / "tiny.yaml").write_text("name: tiny\n")
    (folder.parent / "outside.yaml").write_text("name: outside\n")
    return folder


def test_a_file_of_a_plugin_is_found_in_its_package(package: Path):
    assert located(Path("plugin:shipping/configs/tiny.yaml"), Registry()) == package.resolve() / "configs/tiny.yaml"


@pytest.mark.parametrize("path", ["configs/tiny.yaml", "plugins:shipping/tiny.yaml", "/a/plugin:shipping/tiny.yaml"])
def test_other_paths_are_unchanged(path: str):
    assert located(Path(path), Registry([])) == Path(path)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("configs/tinny.yaml", r"ships no file 'configs/tinny.yaml': did you mean 'configs/tiny.yaml'\?"),
        ("configs", "ships no file 'configs'"),
        ("../outside.yaml", "ships no file '../outside.yaml'"),
    ],
)
def test_what_the_package_does_not_have_is_refused_with_what_it_has(package: Path, file: str, message: str):
    with pytest.raises(ConfigError, match=message):
        located(Path(f"plugin:shipping/{file}"), Registry())


def test_a_link_out_of_the_package_is_not_followed(package: Path):
    (package / "link.yaml").symlink_to(package.parent / "outside.yaml")
    with pytest.raises(ConfigError, match=r"ships no file 'link\.yaml'"):
        located(Path("plugin:shipping/link.yaml"), Registry())


def test_a_plugin_that_is_a_module_ships_no_files(install_fakes):
    install_fakes("slow_import")
    with pytest.raises(ConfigError, match=r"plugin 'slow_import' .* is a single module, which ships no files"):
        located(Path("plugin:slow_import/tiny.yaml"), Registry())
