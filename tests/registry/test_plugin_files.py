"""`plugin:NAME/FILE` is a file in the package of that plugin, and nothing outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridrec import ConfigError
from hybridrec.registry.discovery import Registry
from hybridrec.registry.plugin_files import located, shipped_configs
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


EXPERIMENT = (
    "# yaml-language-server: $schema=x\n# {}\n#\n#   hybridrec run it\nname: tiny\ndata: {{}}\npipelines: {{}}\n"
)


def test_the_experiments_of_plugins_are_listed_with_their_first_sentence(package: Path):
    (package / "best.yaml").write_text(EXPERIMENT.format("What is best? It is measured here."))
    sub = package / "configs" / "sub"
    sub.mkdir()
    (sub / "long.yaml").write_text(EXPERIMENT.format("Much is said: " + "word " * 40))
    own = [config for config in shipped_configs(Registry()) if config.name.startswith("plugin:shipping/")]
    assert [(config.name, config.summary) for config in own] == [
        ("plugin:shipping/best.yaml", "What is best?"),
        ("plugin:shipping/configs/sub/long.yaml", "Much is said"),
    ], "a file that is no experiment is not among them"
    assert all(located(Path(config.name), Registry()) == config.path for config in own)
    assert not [config for config in shipped_configs(Registry(block=["shipping"])) if "shipping" in config.name]


def test_the_configs_of_a_clone_lie_beside_its_package():
    configs = {config.name: config for config in shipped_configs(Registry())}
    root = Path(__file__).parents[2]
    names = {f"plugin:core/{path.relative_to(root).as_posix()}" for path in (root / "configs").rglob("*.yaml")}
    assert names == {name for name in configs if name.startswith("plugin:core/")}
    quickstart = configs["plugin:core/configs/quickstart.yaml"]
    assert located(Path(quickstart.name), Registry()) == root / "configs" / "quickstart.yaml"
    assert quickstart.summary.endswith("?")
    for file in ("pyproject.toml", "configs/../README.md"):
        with pytest.raises(ConfigError, match="ships no file"):
            located(Path(f"plugin:core/{file}"), Registry())


def test_a_folder_beside_an_installed_package_is_not_its_own(package: Path):
    (package.parent / "configs").mkdir()
    (package.parent / "configs" / "other.yaml").write_text(EXPERIMENT.format("Another's."))
    assert "plugin:shipping/configs/other.yaml" not in [config.name for config in shipped_configs(Registry())]
