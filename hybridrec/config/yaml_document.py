"""YAML documents that know the line of every key; they are loaded safely."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

from hybridrec.assigned_text import AssignedText
from hybridrec.errors import ConfigError
from hybridrec.paths import printable

KeyPath = tuple[str | int, ...]
_MAPPING, _SEQUENCE, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "merge"))
MAX_NODES = 100_000
"""The most values of a file after expanding aliases; a file with more is an attack or an accident."""
MAX_CHARACTERS = 10_000_000
"""The most characters of a file, and of its values after expanding aliases."""
MAX_TEXT = 100_000
"""The most characters of one value."""
MAX_DEPTH = 50
"""The most levels of a key path."""
LONG = 100_000
"""The number of characters above which a text is parsed by libyaml, where PyYAML has it, in less than half of the time.

Shorter texts are left to PyYAML, whose messages say more, and which is the same everywhere.
What both accept has the same values and lines, but for a lone tag `!` and byte order marks inside of the text; libyaml
accepts tabs after values and `?` in flow lists, too.
"""
_SHOWN = 100
_LARGEST = 2**63 - 1
"""The largest absolute value of a whole number."""


@dataclass(slots=True)
class YamlDocument:
    """The content of a YAML file, and the line of each key path."""

    source: str
    content: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """Return "file:line: a.b.c" for a key path; for a missing key, `line` is the line of the nearest key above."""
        near = path
        while near and near not in self.lines:
            near = near[:-1]
        line = self.lines.get(near)
        place = self.source if line is None else f"{self.source}:{line}"
        return f"{place}: {dotted(path)}" if path else place

    def set(self, assignment: str) -> None:
        """Apply an assignment `a.b.c=value`, whose value is YAML, and create mappings that are missing on the way.

        A relative path in the value starts at the working folder rather than the folder of the file. Raises
        ConfigError if the text is not an assignment or the path leads nowhere.
        """
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: expected key.path=value")
        value = _value(text, f"--set {assignment}").content
        assign(self.content, key, _as_assigned(value), f"--set {assignment}")


def load(path: Path) -> YamlDocument:
    """Read a YAML file. Raises ConfigError if it cannot be read or has duplicate keys, tags or too many aliases."""
    return parse(_text(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the keys of a YAML file, without running code that it names; a file without any gives {}.

    Raises ConfigError, with file and line, if it cannot be read, if it has anything but keys at the top, and for keys
    that stand twice, tags and too many aliases.
    """
    document = _value(_text(path), str(path))
    if document.content is None:
        return {}
    if not isinstance(document.content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys at the top, for example `name: value`")
    return document.content


def _text(path: Path) -> str:
    """Return the text of a file; raises ConfigError if it cannot be read or is too long for a config."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS + 1)  # a device has no end
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not valid UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{path}: more than {MAX_CHARACTERS:,} characters, which is not a config")
    return text


def parse(text: str, source: str) -> YamlDocument:
    """Parse YAML text as `load` parses a file; messages call it `source`. Raises ConfigError as `load` does."""
    document = _value(text, source)
    if not isinstance(document.content, dict):
        raise ConfigError(f"{source}: expected a mapping of keys at the top, for example `name: my-experiment`")
    return document


def _value(text: str, source: str) -> YamlDocument:
    """Parse a YAML value of any type, without running code that it names; raises ConfigError if it is not valid."""
    document = YamlDocument(source, None)
    try:
        loader = _loader(text)
        node = loader.get_single_node()
        if node is not None:
            document.content = _Builder(loader, document).build(node, ())
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not valid YAML ({_problem(error)})") from None
    except UnicodeEncodeError as error:  # by libyaml, which takes bytes
        raise ConfigError(f"{source}: not valid YAML (half a character at position {error.start})") from None
    except RecursionError:
        raise ConfigError(f"{source}: nested too deeply") from None
    return document


def _loader(text: str) -> yaml.SafeLoader:
    """Return PyYAML's loader, or for a `LONG` text one that takes the events of libyaml.

    Nodes are composed by Python code all the same: the recursion of compiled code has no limit.
    """
    if len(text) <= LONG or not yaml.__with_libyaml__:
        return yaml.SafeLoader(text)
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class Loader(Composer, CParser, SafeConstructor, Resolver):
        def __init__(self) -> None:
            CParser.__init__(self, text)
            for base in (Composer, SafeConstructor, Resolver):
                base.__init__(self)

    return cast(yaml.SafeLoader, Loader())


def assign(content: Any, key: str, value: object, subject: str) -> None:
    """Set the value at a path such as `a.b.0.c` in nested mappings and lists.

    Messages begin with `subject`. Raises ConfigError if the path leads nowhere.
    """
    *above, last = key.split(".")
    if len(above) >= MAX_DEPTH:
        raise ConfigError(f"{subject[:_SHOWN]}...: nested too deeply")
    here = content
    for depth, step in enumerate(above):
        place = _place(here, step, f"{subject}: {'.'.join(above[:depth])}")
        if isinstance(here, dict) and here.get(step) is None:
            here[step] = {}
        here = here[place]
    here[_place(here, last, f"{subject}: {'.'.join(above)}")] = value


def _as_assigned(value: Any) -> Any:
    """Return a value in which every text is an `AssignedText`, so that a relative path starts at the working folder."""
    if isinstance(value, str):
        return AssignedText(value)
    if isinstance(value, dict):
        return {key: _as_assigned(below) for key, below in value.items()}
    return [_as_assigned(below) for below in value] if isinstance(value, list) else value


def dotted(path: KeyPath) -> str:
    """Return a key path in the usual notation: `pipelines.hybrid.rerank[0].weights`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


class _Builder:
    """A converter of YAML nodes to plain values that records the line of each key and limits the size of a file."""

    def __init__(self, loader: yaml.SafeLoader, document: YamlDocument) -> None:
        self.loader = loader
        self.document = document
        self.nodes = self.characters = 0
        self.open: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError(f"{self.document.source}: more than {MAX_NODES} values after expanding aliases")
        if id(node) in self.open:
            raise self._error(node, "an alias contains itself")
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
                return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node)
            raise self._error(node, f"the tag {node.tag} is not allowed")
        finally:
            self.open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        self.characters += len(node.value)
        if len(node.value) > MAX_TEXT or self.characters > MAX_CHARACTERS:
            raise self._error(node, f"more than {MAX_TEXT:,} characters in a value, or {MAX_CHARACTERS:,} in all")
        kind = node.tag.rsplit(":", 1)[-1]
        try:
            node.value.encode()
            value = self.loader.construct_object(node)
        except (ValueError, LookupError, AttributeError, TypeError, OverflowError):
            # What PyYAML lets through: `!!int x`, the date 2020-13-01, half a character.
            raise self._error(node, f"{printable(node.value)} is not a valid {kind}") from None
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise self._error(node, f"{printable(node.value)} is a whole number of more than 64 bits")
        return value

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        self._refuse_duplicates(node)
        result: dict[str, Any] = {}
        # Merged keys come first, so that the mapping's own keys, and their lines, win.
        for key_node, value_node in sorted(node.value, key=lambda pair: pair[0].tag != _MERGE):
            if key_node.tag == _MERGE:
                result = self._merged(value_node, path)
                continue
            key = self._key(key_node)
            self.document.lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = self.build(value_node, (*path, key))
        return result

    def _merged(self, node: yaml.Node, path: KeyPath) -> dict[str, Any]:
        """Return the content of the merge key `<<`: a mapping, or a list of mappings, of which earlier ones win."""
        result: dict[str, Any] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                raise self._error(source, "`<<` takes a mapping or a list of mappings")
            result = self.build(source, path) | result
        return result

    def _refuse_duplicates(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key in seen:
                raise self._error(key_node, f"the key '{key}' is here twice (first on line {seen[key]})")
            seen[key] = line

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a key must be plain text")
        return str(node.value)

    def _error(self, node: yaml.Node, message: str) -> ConfigError:
        return ConfigError(f"{self.document.source}:{node.start_mark.line + 1}: {message}")


def _place(here: Any, step: str, subject: str) -> str | int:
    """Convert a step of a dotted path to a key, if `here` is a mapping, or to an index, if it is a list.

    Raises ConfigError, beginning with `subject`, if `here` is neither or the index does not exist.
    """
    if isinstance(here, dict):
        return step
    if not isinstance(here, list):
        raise ConfigError(f"{subject} is not a mapping")
    if not (step.isascii() and step.isdecimal() and len(step) < 10 and int(step) < len(here)):
        raise ConfigError(f"{subject} is a list of {len(here)}, '{step}' is not an index of it")
    return int(step)


def _problem(error: yaml.YAMLError) -> str:
    """Describe an error of the YAML parser with its line, and the line where the surrounding block begins.

    A missing colon, for example, is noticed only some lines later.
    """
    mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    if mark is None:
        return str(error)
    text = f"line {mark.line + 1}: {getattr(error, 'problem', None) or error}"
    context = getattr(error, "context", None)
    return text if not context or begun is None else f"{text}, {context} that begins in line {begun.line + 1}"
