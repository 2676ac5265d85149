"""The first config that `hybridrec init` writes: for a user's own files, or for the files of a published data set."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hybridrec.config.load import check
from hybridrec.config.resolve import is_importable
from hybridrec.config.yaml_document import parse
from hybridrec.config.yaml_edit import edited_text
from hybridrec.data.checks import check_dataset
from hybridrec.data.io.dialect import is_tab_table
from hybridrec.data.io.files import FORMATS, format_of
from hybridrec.data.io.interaction_columns import SchemaHints
from hybridrec.data.io.part_files import tables_among, tables_inside
from hybridrec.data.io.profile import DataProfile, describe, profile
from hybridrec.errors import (
    ConfigError,
    DataError,
    HybridrecError,
    MissingDependencyError,
    PluginError,
    did_you_mean,
)
from hybridrec.plugin import Starter, StarterConfig, StarterRole
from hybridrec.registry.discovery import Registry
from hybridrec.registry.plugin_files import located
from hybridrec.stages.component import Generator, Reranker, Scorer
from hybridrec.tracing import calling, origin, traced


def starting_config(
    paths: Sequence[Path], folder: Path, registry: Registry, hints: SchemaHints | None = None
) -> tuple[list[str], str]:
    """Return (description, config) for the given files: a list of lines for people, and a first config as YAML.

    `paths` are files and folders. For a published data set the config names the reader that recognises it; the columns
    of other files are inferred, with the help of `hints`. Paths in the config are relative to `folder`, where the
    config will be written. Plugins propose whole configs and single components in the hook `hybridrec_starters`. The
    first usable of the proposed configs is taken; without any, a config is made of the proposed components. Raises
    DataError if a file cannot be read or no file resembles interactions, ConfigError if no proposed component generates
    candidates, and PluginError for an invalid proposal.
    """
    data = _published(paths, folder, registry) or profile(_tables(paths), folder, hints)
    proposals = _proposals(data, registry)
    shipped = sorted(
        (proposal for proposal in proposals if isinstance(proposal, StarterConfig)),
        key=lambda proposal: (-proposal.priority, proposal.file),
    )
    lines = _description(data)
    for proposal in shipped:
        text, problem = _shipped(proposal, data, folder, registry)
        if text is not None:
            others = [f"also for such data: {other.file}" for other in shipped if other is not proposal]
            return [*lines, f"the config is that of {proposal.file}", *others], text
        lines.append(problem)
    starters, missing = _distinct([proposal for proposal in proposals if isinstance(proposal, Starter)], registry)
    content = _config(data, starters)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    return [*lines, *missing], _HEADER + _with_reasons(text, data)


SCHEMA = ".hybridrec/experiment.schema.json"
"""Path of the JSON Schema that `init` writes, relative to the folder of the config; the config names it at its top."""
_HEADER = f"""\
# yaml-language-server: $schema={SCHEMA}
# Written by `hybridrec init`. Every option is explained by `hybridrec show NAME`;
# `hybridrec check` shows what would be fitted, `hybridrec run` carries it out.
"""


def _with_reasons(text: str, data: DataProfile) -> str:
    """Insert comments into a config: above each section, the reasons for what was inferred in it."""
    lines = []
    for line in text.splitlines(keepends=True):
        comments = data.reasons.get(line.partition(":")[0], ())
        lines += [f"# {wrapped}\n" for comment in comments for wrapped in textwrap.wrap(comment, 110)]
        lines.append(line)
    notes = [f"# {wrapped}\n" for note in data.notes for wrapped in textwrap.wrap(note, 110)]
    place = next((place for place, line in enumerate(lines) if line.startswith("data:")), len(lines))
    return "".join([*lines[:place], *notes, *lines[place:]])


def _published(paths: Sequence[Path], folder: Path, registry: Registry) -> DataProfile | None:
    """Read the files by the first reader that recognises them, and return their profile; None if no reader does."""
    files = [file for path in paths for file in _inside(path) if file.is_file()]
    for reader in registry.classes("readers"):
        with calling(reader, "while looking at files"):
            options = reader.recognises(files)
        if options is not None:
            may_skip = "strict" in reader.Config.model_fields and "strict" not in options
            with calling(reader, "while reading what it recognised"):
                made = reader(reader.Config.model_validate({**options, "strict": False} if may_skip else options))
                data = check_dataset(made.read())
            if may_skip and made.notes():
                options = {**options, "strict": False}
            relative = {
                key: os.path.relpath(value, folder) if isinstance(value, Path) else value
                for key, value in options.items()
            }
            notes = [f"recognised as what reader {reader.name} reads", *made.notes()]
            return describe(data, {"reader": reader.name, **relative}, "reader", notes)
    return None


def _tables(paths: Sequence[Path]) -> list[Path]:
    """Return the tables among `paths`, and the tables in those of the paths that are folders.

    A table is a file, a folder of its parts, or a pattern that matches its parts. A file in a folder counts only if it
    has a known ending or looks like a table. Raises DataError if there are no tables.
    """
    tables = tables_among([path for path in paths if not path.is_dir()])
    for path in paths:
        if path.is_dir():
            tables += tables_inside(path, lambda file: bool(format_of(file)) or _is_plain_table(file))
    if not tables:
        folders, endings = ", ".join(map(str, paths)), ", ".join(FORMATS)
        raise DataError(f"{folders}: no reader recognises what is in it, and no file in it ends in {endings}")
    return tables


def _is_plain_table(file: Path) -> bool:
    return file.suffix in PLAIN and is_tab_table(file)


PLAIN = (".txt", ".dat", "")
"""Endings that say nothing about the content: a file in a folder with one of them counts as a table if its first lines
all have the same number of tabs."""


def _inside(path: Path) -> list[Path]:
    """Return the sorted content of a folder; for a file, a list of the file itself."""
    return sorted(path.iterdir()) if path.is_dir() else [path]


def _shipped(proposal: StarterConfig, data: DataProfile, folder: Path, registry: Registry) -> tuple[str | None, str]:
    """Insert the data into a config that a plugin ships; return (config, problem).

    `config` is the text of the config, and `problem` is empty. If a library that the config needs is not installed,
    `config` is None, and `problem` is a line about the library. Raises PluginError if the config is not valid with the
    data.
    """
    place = f"hybridrec_starters proposes {proposal.file}"
    try:
        text = located(Path(proposal.file), registry).read_text(encoding="utf-8")
        values = {tuple(path.split(".")): value for path, value in proposal.changes.items()}
        text = edited_text(text, {("data",): data.data, **values})
        text = re.sub(r"\A(#.*\n)*", "", text)
        check(parse(text, proposal.file), registry, folder)
    except MissingDependencyError as error:
        return None, f"left out a config: {error}"
    except (HybridrecError, KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise PluginError(f"{place}: {error}") from error
    head = (
        f"{_HEADER}# It is {proposal.file} with this data; `hybridrec configs` and that name print its own comments.\n"
    )
    return head + _with_reasons(text, replace(data, reasons={"data": data.reasons.get("data", ())})), ""


def _proposals(data: DataProfile, registry: Registry) -> list[Starter | StarterConfig]:
    """Call the hook `hybridrec_starters` of all plugins for this data, and return their proposals, checked."""
    proposals: list[Starter | StarterConfig] = []
    for implementation in registry.manager.hook.hybridrec_starters.get_hookimpls():
        plugin = origin(str(getattr(implementation.plugin, "__name__", implementation.plugin)))
        with traced(f"hybridrec_starters of {plugin}"):
            offered: Any = implementation.function(*(data for _ in implementation.argnames))
        for starter in offered:
            if not isinstance(starter, StarterConfig):
                _refuse_wrong(starter, plugin, registry)
            proposals.append(starter)
    return proposals


def _distinct(proposals: list[Starter], registry: Registry) -> tuple[list[Starter], list[str]]:
    """Return (distinct, missing): the proposed components that can be used, and lines of text about the others.

    `distinct` is ordered by priority; of several proposals with the same label it has the first. `missing` has a line
    for each component that needs an optional library which is not installed.
    """
    proposals.sort(key=lambda starter: (-starter.priority, starter.label, starter.component))
    distinct: dict[str, Starter] = {}
    missing = []
    for starter in proposals:
        cls = registry.get("components", starter.component)
        if absent := [module for module in cls.requires if not is_importable(module)]:
            hint = cls.install_hint or f"pip install {absent[0]}"
            missing.append(f"left out '{starter.component}': the library '{absent[0]}' is not installed: {hint}")
        else:
            distinct.setdefault(starter.label, starter)
    return list(distinct.values()), missing


_STAGES: dict[StarterRole, type] = {
    "control": Generator,
    "generator": Generator,
    "scorer": Scorer,
    "fusion": Reranker,
    "fallback": Generator,
}


def _refuse_wrong(starter: object, plugin: str, registry: Registry) -> None:
    """Raise PluginError for a proposal with a wrong type, role or option, which would make the config invalid."""
    if not isinstance(starter, Starter):
        raise PluginError(
            f"{plugin}: hybridrec_starters must return a list of Starter or StarterConfig, got {starter!r}"
        )
    place = f"{plugin}: hybridrec_starters proposes '{starter.component}'"
    if unknown := sorted(starter.roles - _STAGES.keys()):
        raise PluginError(f"{place} as {unknown[0]}: {did_you_mean(unknown[0], _STAGES)}")
    try:
        cls = registry.get("components", starter.component)
        cls.Config.model_validate(starter.options)
        for option, values in starter.choose.items():
            for value in values:
                cls.Config.model_validate({**starter.options, option: value})
    except (HybridrecError, ValidationError) as error:
        raise PluginError(f"{place}: {error}") from error
    for role in sorted(starter.roles):
        if not issubclass(cls, _STAGES[role]):
            raise PluginError(f"{place} as {role}, which must be a {_STAGES[role].__name__}")


def _config(data: DataProfile, starters: Sequence[Starter]) -> dict[str, Any]:
    """Build a config of the proposed components, each in the places that its roles name.

    It has the pipelines `control` and `hybrid`, or only `control` if no fusion is proposed. Raises ConfigError if no
    component generates candidates.
    """
    by_role = {role: [starter for starter in starters if role in starter.roles] for role in _STAGES}
    generators = by_role["generator"] or by_role["control"] or by_role["fallback"]
    if not generators:
        raise ConfigError("no plugin proposes a generator for this data: install one with models, such as hybridrec's")
    control = (by_role["control"] or generators)[0]
    # A fallback without options whose label is its name needs no entry: the entry would make it an arm of its own.
    plain = [s for s in by_role["fallback"] if s.label == s.component and not s.options and not s.choose]
    undeclared = [starter.label for starter in plain]
    placed = [control, *generators, *by_role["scorer"]]
    placed += [starter for starter in by_role["fallback"] if starter.label not in undeclared]
    components = {s.label: _use(s) for s in starters if s in placed}
    fallback = [starter.label for starter in by_role["fallback"]]
    repeats = data.split.get("seen") == "allow"
    seen = {"seen": "allow"} if repeats else {}
    pipelines: dict[str, Any] = {
        "control": {"generators": [{"from": control.label, "k": 200}], "fallback": fallback, **seen}
    }
    if by_role["fusion"]:
        pipelines["hybrid"] = {
            "generators": [{"from": starter.label, "k": 200} for starter in generators],
            "scorers": [starter.label for starter in by_role["scorer"]],
            "rerank": [{"use": by_role["fusion"][0].component, **by_role["fusion"][0].options}],
            "fallback": [*fallback],  # the same list would be written as an anchor
            **seen,
        }
    divided = [{"use": "ndcg", "at": 10, "of": relevant} for relevant in ("new", "repeated")] if repeats else []
    return {
        "name": "experiment",
        "seed": 1,
        "data": data.data,
        "split": data.split,
        "components": components,
        "targets": {"items": 20},
        "pipelines": pipelines,
        "compare": {
            "control": "control",
            "singles": True,
            "metrics": ["ndcg@10", *divided, "recall@20", "coverage@10"],
        },
        "refit": "all",
    }


def _use(starter: Starter) -> dict[str, Any]:
    """Return the entry of a component under `components`, without `use` if its label equals its name."""
    use = {} if starter.label == starter.component else {"use": starter.component}
    choose = {option: list(values) for option, values in starter.choose.items()}
    return {**use, **starter.options, **({"choose": choose} if choose else {})}


def _description(profile: DataProfile) -> list[str]:
    counted = [
        (profile.tagged_users, f"{profile.tagged_users} users with tags"),
        (profile.tagged_items, f"{profile.tagged_items} items with tags"),
        (profile.titles, f"{profile.titles} users with a title"),
        (profile.texts, f"{profile.texts} items with a text"),
    ]
    extras = [text for count, text in counted if count]
    times, weights = ("with" if there else "without" for there in (profile.times, profile.weights))
    return [
        f"{profile.interactions} interactions of {profile.users} users "
        f"with {profile.items} items ({profile.tags} tags)",
        f"density {profile.density:.4%}, {profile.repeats} repeats, the median user has {profile.median:g}",
        f"order by {profile.order}; {times} times, {weights} weights" + "".join(f"; {text}" for text in extras),
        *profile.notes,
    ]
