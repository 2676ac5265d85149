"""The README's config, plugin and commands work."""

from __future__ import annotations

import re
from pathlib import Path

import click
import numpy as np
import pytest

from hybridrec import run as run_experiment
from hybridrec.cli import COMMANDS, hybridrec
from hybridrec.config import yaml_document
from hybridrec.config.load import check
from hybridrec.registry.discovery import Registry
from hybridrec.testing import toy_dataset, toy_queries
from tests.docs.markdown import ROOT, blocks

FILE = ROOT / "README.md"
README = FILE.read_text(encoding="utf-8")


def codes(language: str) -> list[str]:
    return [block.code for block in blocks(FILE) if block.language == language]


def test_the_config_is_valid(tmp_path: Path) -> None:
    (config,) = codes("yaml")
    experiment = check(yaml_document.parse(config, "README.md"), Registry(), tmp_path)
    assert [plan.name for plan in experiment.pipelines.values() if not plan.single] == ["control", "hybrid"]


def test_the_plugin_recommends_what_it_says() -> None:
    (source,) = (code for code in codes("python") if "hookimpl" in code)
    namespace: dict[str, object] = {"__name__": "readme"}
    exec(source, namespace)
    (longest,) = namespace["hybridrec_components"]()  # type: ignore[operator]
    data = toy_dataset()
    fitted = longest().fit(data, np.random.default_rng(0))
    names = data.items.names()
    queries = toy_queries(data)
    best = fitted.scores(queries, "items").argmax(axis=1)
    assert {len(names[item]) for item in best} == {max(map(len, names))}


def test_what_recommends_recommends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("served.yaml").write_text(SERVED, encoding="utf-8")
    run = run_experiment("served.yaml")
    (source,) = (code for code in codes("python") if "load(" in code)
    assert '"runs/NAME"' in source
    exec(source.replace('"runs/NAME"', repr(str(run.folder))), {"__name__": "readme"})
    assert "shape: (20, " in capsys.readouterr().out


SERVED = """\
name: served
data: {reader: setlists, min_items: 20}
split: {use: masked}
components: {popularity: {}}
pipelines: {all: {generators: [{from: popularity}], fallback: [tag-fallback, popularity]}}
refit: all
"""
SHELL = "\n".join(codes("bash")) + "\n".join(re.findall(r"`(hybridrec [^`]+)`", README))


@pytest.mark.parametrize("command", sorted(set(re.findall(r"hybridrec ([a-z-]+)", SHELL))))
def test_commands_exist(command: str) -> None:
    assert command in {*COMMANDS, *Registry().names("commands")}


def test_options_exist() -> None:
    for command, rest in re.findall(r"hybridrec ([a-z-]+) ([^\n]*)", SHELL):
        named = hybridrec.get_command(click.Context(hybridrec), command)
        below = named.commands.values() if isinstance(named, click.Group) else ()
        options = {option for level in (named, *below) for parameter in level.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest.split("&&")[0])) <= options


@pytest.mark.parametrize("heading", ["Run it", "Test it"])
def test_one_command_does_everything(heading: str) -> None:
    match = re.search(rf"^## {heading}\n\n```bash\n(.*?)```", README, re.S | re.M)
    assert match is not None
    assert match[1].startswith("python -m pip install")
    assert match[1].count("\n") == 1
