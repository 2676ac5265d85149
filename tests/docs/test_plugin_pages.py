"""The pages for authors of plugins are true: their snippets run, their tests pass, their configs give results."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hybridrec
import hybridrec_fusion
from tests.docs.markdown import ROOT, blocks, call, marked

HUB = ROOT / "docs" / "plugins.md"
PAGES = sorted((ROOT / "docs" / "plugins").glob("*.md"))
TUTORIAL = ROOT / "docs" / "plugins" / "tutorial.md"
BLENDS = ROOT / "docs" / "choosing-a-blend.md"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin that the tutorial writes, installed as far as Python can see, and the tests of all pages."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "hybridrec_svd.py").write_text(marked(TUTORIAL, "module"), encoding="utf-8")
    (folder / "svd.yaml").write_text(marked(TUTORIAL, "run"), encoding="utf-8")
    info = folder / "hybridrec_svd-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hybridrec-svd\nVersion: 0.1\n")
    (toml,) = [code for language, _, code in blocks(TUTORIAL) if language == "toml"]
    (entry,) = tomllib.loads(toml)["project"]["entry-points"]["hybridrec"].items()
    (info / "entry_points.txt").write_text("[hybridrec]\n{} = {}\n".format(*entry))
    for page in PAGES:
        if tests := marked(page, "test"):
            (folder / f"test_{page.stem.replace('-', '_')}.py").write_text(tests, encoding="utf-8")
    return folder


def test_the_tests_on_the_pages_pass(plugin: Path):
    printed = call("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", ".", cwd=plugin)
    assert " passed" in printed
    assert " 1 xfailed" in printed


def test_the_config_on_the_page_runs(plugin: Path):
    printed = call("hybridrec", "run", "svd.yaml", cwd=plugin)
    assert "first-hit@20" in printed


def test_the_blends_on_the_page_run(tmp_path: Path):
    (tmp_path / "choosing.yaml").write_text(marked(BLENDS, "run"), encoding="utf-8")
    printed = call("hybridrec", "run", "choosing.yaml", cwd=tmp_path)
    assert {"equal", "by-weights", "by-features"} <= set(printed.split())


def test_the_fusions_on_the_page_are_those_there_are():
    table = BLENDS.read_text(encoding="utf-8").partition("## What they do")[2].partition("\n\nFeatures")[0]
    firsts = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for first in firsts[1:] for name in re.findall(r"`([a-z]+)`", first)}
    assert named == {component.name for component in hybridrec_fusion.hybridrec_components()}


def test_check_plugin_accepts_what_the_page_writes(plugin: Path):
    printed = call("hybridrec", "check-plugin", "svd", cwd=plugin)
    assert "pure-svd 1" in printed
    assert "failed" not in printed


def test_the_proposal_for_init_on_the_page_is_one(plugin: Path, monkeypatch: pytest.MonkeyPatch):
    code: dict[str, Any] = {"hookimpl": hybridrec.hookimpl, "Starter": hybridrec.Starter}
    exec(marked(HUB, "starters"), code)
    assert code["hybridrec_starters"](SimpleNamespace(items=100)) == []
    (starter,) = code["hybridrec_starters"](SimpleNamespace(items=101))
    monkeypatch.syspath_prepend(str(plugin))
    (component,) = importlib.import_module("hybridrec_svd").hybridrec_components()
    assert starter.component == component.name
    assert component.Config.model_validate(starter.options).factors == 32


@pytest.mark.parametrize("page", [HUB, *PAGES], ids=lambda page: page.stem)
def test_commands_in_the_text_exist(page: Path):
    from hybridrec.cli import COMMANDS

    named = set(re.findall(r"(?:^|`)hybridrec ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.M))
    assert named - {*COMMANDS} == set()


def test_every_page_is_linked_from_the_first():
    linked = re.findall(r"\]\(plugins/([\w-]+\.md)", HUB.read_text(encoding="utf-8"))
    assert sorted(set(linked)) == [page.name for page in PAGES]


def test_the_plugin_of_the_readme_works(tmp_path: Path):
    (code,) = [code for _, _, code in blocks(ROOT / "README.md") if "class Longest(" in code]
    contract = (
        "from hybridrec.testing import ComponentContract\n\n\n"
        "class TestLongest(ComponentContract):\n    component = Longest\n"
    )
    (tmp_path / "test_longest.py").write_text(f"{code}\n\n{contract}", encoding="utf-8")
    assert " passed" in call("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_longest.py", cwd=tmp_path)


def test_the_api_version_on_the_page_is_the_one_there_is():
    assert f'requires_api = "{hybridrec.API_VERSION}"' in TUTORIAL.read_text(encoding="utf-8")
