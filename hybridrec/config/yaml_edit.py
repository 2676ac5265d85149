"""Edits of YAML text at key paths, which leave comments, order and style of everything else as they are."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

LINE = 100
"""A mapping that takes more characters than this on one line is written as a block."""


class Edit(NamedTuple):
    """The replacement of `text[start:end]` by `new`."""

    start: int
    end: int
    new: str

    def applied(self, text: str) -> str:
        """Return the text after the replacement."""
        return text[: self.start] + self.new + text[self.end :]


def edited_text(text: str, values: Mapping[tuple[str, ...], Any], without: str = "") -> str:
    """Write values at key paths of a YAML text, remove the section `without`, and return the new text.

    Raises KeyError, IndexError, TypeError or ValueError if a key path leads to no place in the text.
    """
    for path, value in values.items():
        root = _root(text)
        edit = _edit(root, path, value) if len(path) > 1 else _section_edit(text, root, path[0], value)
        text = edit.applied(text)
    for key, value in _root(text).value:
        if key.value == without:
            end = text.find("\n", _end(value))
            return Edit(key.start_mark.index, len(text) if end < 0 else end + 1, "").applied(text)
    return text


def _section_edit(text: str, root: yaml.MappingNode, name: str, value: Any) -> Edit:
    """Return the edit that writes a whole section, on one line or as a block.

    It replaces the section of this name; a new section is added at the end.
    """
    flow = _flow(value)
    if isinstance(value, dict) and len(flow) > LINE:
        style = None if any(isinstance(below, dict | list) for below in value.values()) else False
        block = yaml.safe_dump(value, default_flow_style=style, allow_unicode=True, width=LINE, sort_keys=False)
        flow = "\n" + textwrap.indent(block, "  ").rstrip("\n")
    else:
        flow = f" {flow}"
    for key, below in root.value:
        if key.value == name:
            start, end = key.end_mark.index + 1, _end(below)
            if "\n" in text[start:end] and (comment := re.compile(r"[ \t]*#.*").match(text, end)):
                end = comment.end()  # it is about a line that goes
            return Edit(start, end, flow)
    return Edit(len(text), len(text), ("" if text.endswith("\n") else "\n") + f"{name}:{flow}\n")


def _root(text: str) -> yaml.MappingNode:
    root = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    return root


def _edit(node: yaml.Node, path: tuple[str, ...], value: Any) -> Edit:
    """Return the edit that writes a value at a key path below a node; it also creates mappings missing on the way."""
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
    """Return the index of the end of a node's last value.

    The end mark of a block node would also include the comments after the block.
    """
    if not isinstance(node, yaml.CollectionNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _flow(value: Any) -> str:
    """Format a value as one line of YAML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("...\n").strip()
