"""YAML documents, loaded safely, that remember the line of every key."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from hybridrec.errors import ConfigError

KeyPath = tuple[str | int, ...]
MAX_NODES = 100_000
"""More nodes than this after expanding aliases is an attack or an accident, not a config."""


@dataclass(slots=True)
class Document:
    """The content of a YAML file, and where each key path stands in it."""

    source: str
    content: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """ "file:line: a.b.c" of a key path, or of the nearest key above it that is in the file."""
        near = path
        while near and near not in self.lines:
            near = near[:-1]
        line = self.lines.get(near)
        place = self.source if line is None else f"{self.source}:{line}"
        return f"{place}: {dotted(path)}" if path else place

    def set(self, assignment: str) -> None:
        """Apply `a.b.c=value` (the value is YAML), creating what is missing on the way."""
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: expected key.path=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {assignment}: the value is not valid YAML ({_problem(error)})") from None
        parts: list[str | int] = [int(part) if part.isdigit() else part for part in key.split(".")]
        here = self.content
        for depth, part in enumerate(parts[:-1]):
            here = _step(here, part, assignment, dotted(tuple(parts[:depth])))
        last = parts[-1]
        if isinstance(here, list) and not (isinstance(last, int) and last < len(here)):
            raise ConfigError(f"--set {assignment}: {dotted(tuple(parts[:-1]))} is a list of {len(here)}")
        if not isinstance(here, (dict, list)):
            raise ConfigError(f"--set {assignment}: {dotted(tuple(parts[:-1]))} is not a mapping")
        here[last if isinstance(here, list) else str(last)] = value  # type: ignore[index]


def load(path: Path) -> Document:
    """Read one YAML file. Duplicate keys, unknown tags and alias bombs are refused."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Document:
    """Like `load`, from text; `source` stands in the messages."""
    document = Document(source, None)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is not None:
            document.content = _Builder(loader, document).build(node, ())
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML ({_problem(error)})") from None
    if not isinstance(document.content, dict):
        raise ConfigError(f"{source}: expected a mapping of keys at the top, for example `name: my-experiment`")
    return document


def dotted(path: KeyPath) -> str:
    """A key path as people write it: `pipelines.hybrid.rerank[0].weights`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class _Builder:
    """Turns YAML nodes into plain values, noting lines and counting what aliases expand to."""

    def __init__(self, loader: yaml.SafeLoader, document: Document) -> None:
        self.loader = loader
        self.document = document
        self.nodes = 0
        self.open: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        line = node.start_mark.line + 1
        self.document.lines.setdefault(path, line)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError(f"{self.document.source}: more than {MAX_NODES} values after expanding aliases")
        if id(node) in self.open:
            raise ConfigError(f"{self.document.source}:{line}: an alias contains itself")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
            return self.loader.construct_object(node)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        self._refuse_duplicates(node)
        self.loader.flatten_mapping(node)  # the merge key `<<`
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            self.document.lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, (*path, key))
        return result

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key in seen:
                first = f"first on line {seen[key]}"
                raise ConfigError(f"{self.document.source}:{line}: the key '{key}' stands here twice ({first})")
            seen[key] = line

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise ConfigError(f"{self.document.source}:{node.start_mark.line + 1}: a key must be plain text")
        return str(node.value)


def _step(here: Any, part: str | int, assignment: str, path: str) -> Any:
    """One key down, creating a missing mapping."""
    if isinstance(here, list):
        if isinstance(part, int) and part < len(here):
            return here[part]
        raise ConfigError(f"--set {assignment}: {path} is a list of {len(here)}, '{part}' is no place in it")
    if isinstance(here, dict):
        found = here.setdefault(str(part), {})
        if found is None:
            found = here[str(part)] = {}
        return found
    raise ConfigError(f"--set {assignment}: {path} is not a mapping")


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    text = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {text}" if mark else str(text)
