"""The words of the glossary are those of the code: no public name, option, command or report key uses another one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import click

import hybridrec
from hybridrec.cli import hybridrec as command_line
from hybridrec.config.models import ExperimentConfig
from hybridrec.evaluation.report import Report
from hybridrec.registry import kinds
from hybridrec.registry.discovery import Registry
from tests.docs.markdown import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
TERMS, SAY_INSTEAD = PAGE.split("## Say instead")


def avoided() -> dict[str, str]:
    """Return the words that are not used, each with the one that is."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", SAY_INSTEAD, re.M)[1:]
    words = ((word.strip(), use.strip()) for left, use in rows for word in re.sub(r"\(.*?\)", "", left).split(","))
    return {word: use for word, use in words if word and not set(word) <= {"-"}}


def names() -> Iterator[str]:
    """Yield every name that users see: public names and members, options, commands, keys of configs and reports."""
    for name in hybridrec.__all__:
        yield name
        if isinstance(value := getattr(hybridrec, name), type):
            yield from (member for member in vars(value) if not member.startswith("_"))
    registry = Registry()
    for kind in kinds.KINDS:
        for cls in registry.classes(kind.plural):
            yield from getattr(getattr(cls, "Config", None), "model_fields", ())
    for model in (ExperimentConfig, Report):
        schema = model.model_json_schema()
        for definition in (schema, *schema.get("$defs", {}).values()):
            yield from definition.get("properties", ())
    context = click.Context(command_line)
    for name in command_line.list_commands(context):
        yield name
        if (command := command_line.get_command(context, name)) is not None:
            yield from (parameter.name for parameter in command.params if parameter.name)


def test_no_name_uses_a_word_to_avoid() -> None:
    words = avoided()
    assert len(words) > 40
    wrong = sorted({f"{name}: say {words[name]}" for name in names() if name in words})
    assert not wrong, "\n".join(wrong)


def test_no_word_to_avoid_is_a_term() -> None:
    terms = set(re.findall(r"^\| ([^|]+) \|", TERMS, re.M))
    assert not terms & avoided().keys()


def test_every_term_has_one_entry() -> None:
    cells = re.findall(r"^\| ([^|]+) \|", TERMS, re.M)
    terms = [term.strip() for cell in cells if cell != "term" and set(cell) != {"-"} for term in cell.split(",")]
    assert len(terms) > 100
    assert [term for term, entries in Counter(terms).items() if entries > 1] == []
