"""Every block of every page is run, or completed and checked, or parsed; none is there only to be looked at.

yaml          an experiment, or a piece of one that a small experiment around it makes whole: it is checked
yaml run      a whole experiment: it is checked here, and run by the test of its page
python test   of pages for authors of plugins: classes with their tests, which configs of the page may name
yaml file     written into the folder where the page's commands run, by the name that the config gives itself
bash          every `hybridrec` command is parsed with its options
bash run      ... and run, in order, in one folder for the page
python run    run there, too
LANGUAGE f.x  written there as the file f.x
python, toml, other marks: the page has a test of its own (OWN)
"""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from hybridrec import MissingDependencyError
from hybridrec.cli import hybridrec
from hybridrec.config import yaml_document
from hybridrec.config.load import check
from hybridrec.registry.discovery import Registry
from tests.docs.markdown import PAGES, Block, blocks, marked, python, title, words_of, written_plugin

OWN = {
    "docs/re-ranking.md": {"yaml base", "yaml chain", "yaml tradeoffs"},
    "docs/engines.md": {"yaml file"},
    "docs/other-systems.md": {"bash recipes", "python recipes"},
    "docs/walkthrough.md": {"bash walk"},
    "docs/scaling.md": {"yaml job.yaml", "yaml ci.yaml", "yaml ray.yaml"},
    "docs/serving.md": {
        "bash server",
        "bash curl",
        "json answer",
        "python client",
        "yaml serve.yaml",
        "ini hybridrec.service",
        "dockerfile Containerfile",
        "bash container",
    },
    "README.md": {"python", "toml"},
}
"""What the test of a single page takes care of, beside this one."""
OWN |= {title(page): {"python test"} for page in PAGES if page.parent.name == "plugins"}
OWN["docs/plugins/tutorial.md"] = {"yaml example.yaml"}
RUN = {"bash run", "python run"}
BASE = {
    "name": "page",
    "data": {"reader": "setlists"},
    "split": {"use": "masked"},
    "components": {"popularity": {}},
    "pipelines": {"control": {"generators": [{"from": "popularity"}]}},
}
CASES = [(page, number, block) for page in PAGES for number, block in enumerate(blocks(page), 1)]


def kind(block: Block) -> str:
    return f"{block.language} {block.mark}".strip()


def of(*languages: str) -> list[Any]:
    """The blocks in one of these languages that no other test takes, as parameters."""
    return [
        pytest.param(page, block, id=f"{title(page)}-{number}")
        for page, number, block in CASES
        if block.language in languages and kind(block) not in OWN.get(title(page), ())
    ]


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_every_block_is_of_a_kind_that_is_tested(page: Path):
    tested = {"yaml", "yaml run", "yaml file", "bash", "toml", "json", "text", *RUN, *OWN.get(title(page), ())}
    kinds = {kind(block) for block in blocks(page) if "." not in block.mark}
    assert kinds <= tested, "say what the tests should do with it: see the first lines of this file"


@pytest.mark.parametrize(("page", "block"), of("yaml"))
def test_a_config_is_valid_or_a_piece_of_a_valid_one(page: Path, block: Block, tmp_path: Path):
    experiment = whole(yaml.safe_load(block.code))
    registry = Registry(plugins=[written_plugin(page)] if marked(page, "test") else [])
    try:
        check(yaml_document.parse(yaml.safe_dump(experiment, sort_keys=False), "page"), registry, tmp_path)
    except MissingDependencyError as error:  # the Korean tokenizer is not among what is installed for the tests
        pytest.skip(str(error))


@pytest.mark.parametrize(("page", "block"), of("bash"))
def test_commands_exist_with_their_options(page: Path, block: Block):
    for line in block.code.replace("\\\n", "").splitlines():
        for command in line.partition(" #")[0].partition(" > ")[0].split("&&"):
            words = shlex.split(command)
            if words[:1] == ["hybridrec"]:
                parse(hybridrec, "hybridrec", words[1:])


@pytest.mark.parametrize(("page", "block"), of("toml", "json"))
def test_what_is_data_can_be_read(page: Path, block: Block):
    {"toml": tomllib.loads, "json": json.loads}[block.language](block.code)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if {kind(b) for b in blocks(page)} & RUN - OWN.get(title(page), set())], ids=title
)
def test_what_a_page_runs_runs(page: Path, tmp_path: Path, succeed: Callable[..., str], monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page):
        if "." in block.mark:
            (tmp_path / block.mark).write_text(block.code, encoding="utf-8")
        elif kind(block) == "yaml file":
            (tmp_path / f"{yaml.safe_load(block.code)['name']}.yaml").write_text(block.code, encoding="utf-8")
        elif kind(block) == "python run":
            python("-W", "error", "-c", block.code, cwd=tmp_path)
        elif kind(block) == "bash run":
            for line in filter(None, block.code.splitlines()):
                command, _, file = line.partition(" > ")
                program, *words = words_of(command)
                assert program == "hybridrec", "the commands of a page are run in this process"
                printed = succeed(*words, cwd=tmp_path)
                if file:
                    (tmp_path / file).write_text(printed, encoding="utf-8")


def parse(command: click.Command, name: str, words: list[str]) -> None:
    """Refuse what the command line would refuse before it does anything."""
    if isinstance(command, click.Group) and words and not words[0].startswith("-"):
        named = command.get_command(click.Context(command), words[0])
        assert named is not None, f"there is no command '{name} {words[0]}'"
        parse(named, f"{name} {words[0]}", words[1:])
    else:
        command.make_context(name, list(words), resilient_parsing="--help" in words)


def whole(piece: dict[str, Any]) -> dict[str, Any]:
    """The experiment in which a piece of one stands: what it does not say is that of a small one."""
    experiment = BASE | piece
    experiment["components"] = dict(experiment["components"])
    used: list[str] = []
    for pipeline in experiment["pipelines"].values():
        chain = pipeline.get("rerank", [])
        weighed = [label for step in (chain if isinstance(chain, list) else []) for label in step.get("weights", {})]
        if "generators" not in pipeline:
            labels = [*weighed, "popularity", "ease"] if chain else ["ease"]  # without a chain nothing is fused
            pipeline["generators"] = [{"from": label} for label in dict.fromkeys(labels)]
        used += [generator["from"] for generator in pipeline["generators"]] + pipeline.get("scorers", [])
    for label in used:
        experiment["components"].setdefault(label, {})
    return experiment
