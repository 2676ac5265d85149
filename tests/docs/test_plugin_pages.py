"""The pages for authors of plugins are true: their classes keep their contracts, their configs give results."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import hybridrec
import hybridrec_fusion
from hybridrec.cli import COMMANDS
from hybridrec.cli import hybridrec as commands
from hybridrec.registry.discovery import Registry
from hybridrec.scaffold import KINDS, new_plugin
from tests.docs.markdown import ROOT, blocks, call, marked, written_plugin
from tests.scaffold.test_new_plugin import installed

HUB = ROOT / "docs" / "plugins.md"
PAGES = sorted((ROOT / "docs" / "plugins").glob("*.md"))
TUTORIAL = ROOT / "docs" / "plugins" / "tutorial.md"
BLENDS = ROOT / "docs" / "choosing-a-blend.md"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the tutorial: what `new-plugin` writes, with the files on the page in place of the first ones."""
    folder = new_plugin("near-miss", "generator", tmp_path_factory.mktemp("tutorial"), Registry())
    installed(folder)
    for _, file, code in blocks(TUTORIAL):
        if file.endswith((".py", ".yaml")):
            (folder / "src" / "hybridrec_near_miss" / file).write_text(code, encoding="utf-8")
    return folder


def test_the_tests_of_all_pages_pass(package: Path):
    (shown,) = [code for _, _, code in blocks(ROOT / "README.md") if "class Longest(" in code]
    (package / "tests" / "test_readme.py").write_text(f"{shown}\n\n{CONTRACT_OF_THE_README}", encoding="utf-8")
    tests = [str(written_plugin(page)) for page in PAGES if marked(page, "test")]
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "-n", "0", "--rootdir", str(package)]
    printed = call("pytest", *options, *tests, "tests", cwd=package, beside=package / "src")
    assert " passed" in printed
    assert " 1 xfailed" in printed


CONTRACT_OF_THE_README = """\
from hybridrec.testing import ComponentContract


class TestLongest(ComponentContract):
    component = Longest
"""


def test_the_tutorial_prints_what_it_says(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.syspath_prepend(str(package / "src"))
    monkeypatch.chdir(tmp_path)
    told = [block for block in blocks(TUTORIAL) if block.language == "text" or "hybridrec run" in block.code]
    assert [block.language for block in told] == ["bash", "text"] * 2
    for command, output in zip(told[::2], told[1::2], strict=True):
        commands.main(shlex.split(command.code.replace("\\\n", ""))[1:], standalone_mode=False)
        printed = capsys.readouterr().out.splitlines()
        assert [line for line in output.code.splitlines() if line not in printed] == []


def has_a_config(page: Path) -> bool:
    return any(block.language == "yaml" and block.mark == "run" for block in blocks(page))


@pytest.mark.parametrize("page", [page for page in PAGES if has_a_config(page)], ids=lambda page: page.stem)
def test_the_config_of_a_page_runs_with_its_classes(page: Path, tmp_path: Path):
    (tmp_path / "page.yaml").write_text(marked(page, "run"), encoding="utf-8")
    folders = {"store": tmp_path / "store", "runs": tmp_path / "runs"}
    run = hybridrec.run(tmp_path / "page.yaml", plugins=[written_plugin(page)], **folders)
    assert run.report.pipelines.keys() >= {"control", "variant"}


def test_the_blends_on_the_page_run(tmp_path: Path, succeed):
    (tmp_path / "choosing.yaml").write_text(marked(BLENDS, "run"), encoding="utf-8")
    printed = succeed("run", "choosing.yaml", cwd=tmp_path)
    assert {"equal", "by-weights", "by-features"} <= set(printed.split())


def test_the_fusions_on_the_page_are_those_there_are():
    table = BLENDS.read_text(encoding="utf-8").partition("## What they do")[2].partition("\n\nFeatures")[0]
    firsts = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for first in firsts[1:] for name in re.findall(r"`([a-z]+)`", first)}
    assert named == {component.name for component in hybridrec_fusion.hybridrec_components()}


@pytest.mark.parametrize("page", [HUB, *PAGES], ids=lambda page: page.stem)
def test_commands_in_the_text_exist(page: Path):
    named = set(re.findall(r"(?:^|`)hybridrec ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.M))
    assert named - {*COMMANDS, *Registry().names("commands")} == set()


def test_every_page_is_linked_from_the_first():
    linked = re.findall(r"\]\(plugins/([\w-]+\.md)", HUB.read_text(encoding="utf-8"))
    assert sorted(set(linked)) == [page.name for page in PAGES]


def test_every_kind_of_new_plugin_has_its_row():
    """A fusion is a re-ranker; every other kind has a row of its own, with a page."""
    rows = re.findall(r"^\| (?:\[([a-z-]+)\]\((\S+?)\)|([a-z-]+)) \|", HUB.read_text(encoding="utf-8"), re.M)
    named = {linked or bare for linked, _, bare in rows}
    assert named >= {*KINDS} - {"fusion"}


def test_the_api_version_on_the_pages_is_the_one_there_is():
    text = (ROOT / "docs" / "plugins" / "versions.md").read_text(encoding="utf-8")
    assert f'requires_api = "{hybridrec.API_VERSION}"' in text
