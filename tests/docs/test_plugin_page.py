"""The documentation is true: its snippets run, and what it says of hooks and checks is what the code says."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import hybridrec
import hybridrec_fusion
from docs import reference
from hybridrec import testing
from tests.docs.markdown import ROOT, blocks, call, marked

PAGE = ROOT / "docs" / "plugins.md"
BLENDS = ROOT / "docs" / "choosing-a-blend.md"
CONTRACTS = reference.contracts()
HOOKS = reference.HOOKS


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin that the page writes, installed as far as Python can see."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "hybridrec_svd.py").write_text(marked(PAGE, "module"), encoding="utf-8")
    (folder / "test_svd.py").write_text(marked(PAGE, "test"), encoding="utf-8")
    (folder / "svd.yaml").write_text(marked(PAGE, "run"), encoding="utf-8")
    info = folder / "hybridrec_svd-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hybridrec-svd\nVersion: 0.1\n")
    (toml,) = [code for language, _, code in blocks(PAGE) if language == "toml"]
    (entry,) = tomllib.loads(toml)["project"]["entry-points"]["hybridrec"].items()
    (info / "entry_points.txt").write_text("[hybridrec]\n{} = {}\n".format(*entry))
    return folder


def test_the_tests_on_the_page_pass(plugin: Path):
    printed = call("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_svd.py", cwd=plugin)
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


def test_every_python_and_yaml_block_is_run():
    bare = [code for language, mark, code in blocks(PAGE) if language in ("python", "yaml") and not mark]
    assert bare == []
    assert {mark for _, mark, _ in blocks(PAGE) if mark} == {"module", "test", "run", "starters", "hook", "signatures"}


def test_every_hook_is_documented_with_its_exact_signature():
    given = [code.strip() for _, mark, code in blocks(PAGE) if mark == "hook"]
    wanted = [f"def {name}{reference.signature(hook)}" for name, hook in HOOKS.items()]
    assert given == wanted


def test_the_signatures_on_the_page_are_those_of_the_code():
    given = marked(PAGE, "signatures").splitlines()
    assert given
    for line in given:
        base, _, method = line.partition("(")[0].partition(".")
        assert line == f"{base}.{method}{reference.signature(getattr(getattr(hybridrec, base), method))}"


def test_the_proposal_for_init_on_the_page_is_one(plugin: Path, monkeypatch: pytest.MonkeyPatch):
    code: dict[str, Any] = {"hookimpl": hybridrec.hookimpl, "Starter": hybridrec.Starter}
    exec(marked(PAGE, "starters"), code)
    assert code["hybridrec_starters"](SimpleNamespace(items=100)) == []
    (starter,) = code["hybridrec_starters"](SimpleNamespace(items=101))
    monkeypatch.syspath_prepend(str(plugin))
    (component,) = importlib.import_module("hybridrec_svd").hybridrec_components()
    assert starter.component == component.name
    assert component.Config.model_validate(starter.options).factors == 32


@pytest.mark.parametrize("name", HOOKS)
def test_the_meaning_of_every_hook_is_its_docstring(name: str):
    meaning = " ".join((inspect.getdoc(HOOKS[name]) or "").split())
    assert meaning
    assert f"```\n\n{meaning}\n" in PAGE.read_text(encoding="utf-8").partition(f"### {name}\n")[2]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_check_is_listed_with_its_docstring(contract: type[testing.Contract]):
    section = PAGE.read_text(encoding="utf-8").partition(f"### {contract.__name__}\n\n")[2].partition("\n\n")[0]
    meanings = {check: inspect.getdoc(getattr(contract, f"test_{check}")) or "" for check in contract.checks()}
    assert section.splitlines() == [f"- `{check}`: {' '.join(text.split())}" for check, text in meanings.items()]


@pytest.mark.parametrize("module", [hybridrec, *reference.MODULES.values()], ids=lambda module: module.__name__)
def test_every_public_name_has_a_row_with_a_sentence(module: ModuleType):
    rows = re.findall(r"^\| `(\w+)[(`].* \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.M)
    said = {name: sentence for name, sentence in rows if len(sentence.split()) > 1}
    assert {name for name in module.__all__ if not inspect.ismodule(getattr(module, name))} - said.keys() == set()


def test_commands_on_the_page_exist():
    from hybridrec.cli import COMMANDS

    named = set(re.findall(r"(?:^|`)hybridrec ([a-z][a-z-]*)", PAGE.read_text(encoding="utf-8"), re.M))
    assert named - {*COMMANDS} == set()


def test_the_plugin_of_the_readme_works(tmp_path: Path):
    (code,) = [code for _, _, code in blocks(ROOT / "README.md") if "class Longest(" in code]
    contract = (
        "from hybridrec.testing import ComponentContract\n\n\n"
        "class TestLongest(ComponentContract):\n    component = Longest\n"
    )
    (tmp_path / "test_longest.py").write_text(f"{code}\n\n{contract}", encoding="utf-8")
    assert " passed" in call("pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_longest.py", cwd=tmp_path)


def test_the_api_version_on_the_page_is_the_one_there_is():
    assert f'requires_api = "{hybridrec.API_VERSION}"' in PAGE.read_text(encoding="utf-8")
