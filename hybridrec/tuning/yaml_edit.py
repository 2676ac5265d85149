"""best.yaml: an experiment file with the chosen values inserted, and otherwise as its author wrote it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import check
from hybridrec.config.search_space import Variants
from hybridrec.config.yaml_document import parse
from hybridrec.errors import ConfigError


class Edit(NamedTuple):
    """A replacement of `text[start:end]`."""

    start: int
    end: int
    new: str

    def applied(self, text: str) -> str:
        """Return the text after the replacement."""
        return text[: self.start] + self.new + text[self.end :]


def tuned_text(
    variants: Variants, text: str, values: Mapping[str, Any], chosen: CheckedExperiment, folder: Path
) -> str:
    """Return the experiment file `text` with other values and without its section `tune`, for a file in `folder`.

    `chosen` is the experiment that it must resolve to; where the text cannot be edited to that end (for example, an
    alias is used in several places), it is the resolved config instead.
    """
    edits = {tuple(path.split(".")): value for path, value in values.items()}
    edits |= _absolute(variants.document.content, chosen.resolved)
    try:
        edited = _edited(text, edits)
        if check(parse(edited, "best.yaml"), variants.registry, folder).resolved == chosen.resolved:
            return edited
    except (ConfigError, KeyError, IndexError, TypeError, ValueError):
        pass
    return yaml.safe_dump(chosen.resolved, sort_keys=False, allow_unicode=True)


def _absolute(content: Any, resolved: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    """Return the paths of files that are relative in the document, as the absolute ones of the resolved config."""
    if isinstance(content, str):
        moved = isinstance(resolved, str) and content != resolved and Path(resolved).is_absolute()
        return {path: resolved} if moved else {}
    below: Iterator[tuple[Any, Any, Any]] = iter(())
    if isinstance(content, dict) and isinstance(resolved, dict):
        below = ((key, content[key], resolved[key]) for key in content if key in resolved)
    elif isinstance(content, list) and isinstance(resolved, list):
        below = ((place, *pair) for place, pair in enumerate(zip(content, resolved, strict=False)))
    return {where: new for key, old, now in below for where, new in _absolute(old, now, (*path, str(key))).items()}


def _edited(text: str, values: Mapping[tuple[str, ...], Any]) -> str:
    """Return the text with the values at these key paths and without its section `tune`."""
    for path, value in values.items():
        text = _edit(_root(text), path, value).applied(text)
    for key, value in _root(text).value:
        if key.value == "tune":
            end = text.find("\n", _end(value))
            return Edit(key.start_mark.index, len(text) if end < 0 else end + 1, "").applied(text)
    return text


def _root(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return root


def _edit(node: yaml.Node, path: tuple[str, ...], value: Any) -> Edit:
    """Return the edit that writes a value at a key path below a node."""
    if not path:
        return Edit(node.start_mark.index, _end(node), _flow(value))
    if isinstance(node, yaml.SequenceNode):
        return _edit(node.value[int(path[0])], path[1:], value)
    for key, below in node.value if isinstance(node, yaml.MappingNode) else ():
        if key.value == path[0]:
            return _edit(below, path[1:], value)
    for key in reversed(path[1:]):
        value = {key: value}
    if not isinstance(node, yaml.MappingNode) or not node.value:  # `{}`, or nothing at all
        gap = " " if node.start_mark.index == node.end_mark.index else ""
        return Edit(node.start_mark.index, node.end_mark.index, gap + _flow({path[0]: value}))
    first = node.value[0][0].start_mark
    after = ", " if node.flow_style else "\n" + " " * first.column
    return Edit(first.index, first.index, _flow({path[0]: value})[1:-1] + after)


def _end(node: yaml.Node) -> int:
    """Return the end of the last value of a node; the end mark of a block is only behind the comments after it."""
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _flow(value: Any) -> str:
    """Return a value as one line of YAML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("...\n").strip()
