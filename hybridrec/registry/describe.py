"""Reference pages of plugin classes and commands, made from their docstrings and options."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

import yaml

from hybridrec.errors import did_you_mean
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.discovery import Provider, Registry
from hybridrec.registry.kinds import Kind
from hybridrec.registry.option_types import ColumnWeights, ComponentRef, references
from hybridrec.stages.normaliser import Normaliser


@dataclass(frozen=True, slots=True)
class Page:
    """The reference page of a plugin class or command."""

    name: str
    kind: str
    version: str
    origin: str
    text: str
    facts: tuple[str, ...]
    options: tuple[tuple[str, str, str, str], ...]
    """(key, type, default, meaning) of each option."""
    example: str
    """The shortest YAML or command line that uses it."""
    language: str = "yaml"
    """The language of the example: yaml or bash."""


def describe(name: str, registry: Registry) -> list[Page]:
    """Make the reference page of every class or command with this name.

    Raises ConfigError if nothing has this name, and PluginError if several plugins offer it and no rule chooses one.
    """
    pages = [
        (_command_page if kind.instances else _page)(offer, kind, registry) for kind, offer in registry.named(name)
    ]
    if not pages:
        raise registry.missing(f"nothing is called '{name}': {did_you_mean(name, registry.names())}")
    return pages


def _command_page(command: Any, kind: Kind, registry: Registry) -> Page:
    """Make the page of a command from its help and its parameters."""
    provider = registry.provider_of(command)
    options = []
    for parameter in command.params:
        about = parameter.to_info_dict()
        if about["param_type_name"] == "option":
            default = "required" if about["required"] else json.dumps(about["default"], default=str)
            taken = parameter.metavar or about["type"]["name"]
            options.append((", ".join(about["opts"]), taken, default, about["help"] or ""))
    return Page(
        name=command.name,
        kind=kind.name,
        version="unknown" if provider is None else provider.version,
        origin=_origin(provider),
        text=inspect.cleandoc(command.help or ""),
        facts=(),
        options=tuple(options),
        example=f"{Template(kind.roles[0].usage).substitute(name=command.name)}\n",
        language="bash",
    )


def _page(cls: type[Plugin], kind: Kind, registry: Registry) -> Page:
    provider = registry.provider_of(cls)
    example, language = _example(cls, kind, registry)
    return Page(
        name=cls.name,
        kind=kind.name,
        version=cls.version,
        origin=_origin(provider),
        text=inspect.getdoc(cls) or "",
        facts=tuple(_facts(cls)) if kind.name != "metric" else _how_options_are_given(cls),
        options=tuple(_options(cls.Config)),
        example=example,
        language=language,
    )


def _origin(provider: Provider | None) -> str:
    if provider is None:
        return "unknown"
    return provider.file or f"{provider.distribution} {provider.version}"


def _example(cls: type[Plugin], kind: Kind, registry: Registry) -> tuple[str, str]:
    """Return (example, language): the shortest text that uses a class, and "yaml" or "bash".

    The value of a required option is the first of the examples in its definition.
    """
    fields = cls.Config.model_fields.items()
    options = {field.alias or key: (field.examples or [None])[0] for key, field in fields if field.is_required()}
    role = next(iter(kind.roles_of(cls)), kind.roles[0])
    usage = role.usage
    words = {"name": cls.name, "measured": _measured(cls, options)}
    if usage.startswith("hybridrec "):
        settings = " ".join(f"--set {key}={json.dumps(value)}" for key, value in options.items())
        return f"{Template(usage).substitute(words, options=settings).strip()}\n", "bash"
    fusion, normalise = _fusion(registry)
    words["normalise"] = normalise
    if kind.name != "component" or role.name == "scorer" or getattr(cls, "fuses", None) is False:
        words["fusion"] = fusion
    # The example of an option that is a label is the name of a component.
    labels = references(cls.Config.model_construct(**options))
    used: dict[str, Any] = {reference.label: {} for reference in labels if isinstance(reference.marker, ComponentRef)}
    content = _filled(yaml.safe_load(Template(usage).safe_substitute(words)), {"$options": options, "$used": used})
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100), "yaml"


def _measured(cls: type[Plugin], options: Mapping[str, Any]) -> str:
    """Return an entry of `compare.metrics` for a metric as YAML: a name, or a mapping if it has required options."""
    cut_off = getattr(cls, "cut_off", False)
    if not options:
        return f"{cls.name}@10" if cut_off else cls.name
    return json.dumps({"use": cls.name, **options} | ({"at": 10} if cut_off else {}))


def _how_options_are_given(cls: type[Plugin]) -> tuple[str, ...]:
    """Return a sentence on the syntax of a metric's options in a config; an empty tuple for a metric without options.

    The page needs it because most metrics of a config are a plain name, which has no place for options.
    """
    keys = [field.alias or key for key, field in cls.Config.model_fields.items()]
    if not keys:
        return ()
    cut_off = ", at: 10" if getattr(cls, "cut_off", False) else ""
    return (f"With options, in `compare.metrics`: {{use: {cls.name}, {keys[0]}: ...{cut_off}, as: NAME}}",)


def _fusion(registry: Registry) -> tuple[str, str]:
    """Return (name, option): the simplest installed fusion with weights, and the name of its option for the normaliser.

    The simplest fusion is the one whose options class has the fewest base classes. If no such fusion is installed, the
    placeholders "$fusion" and "$normalise" are returned.
    """
    fusions = [
        (cls, field.alias or key)
        for cls in registry.classes("components")
        if getattr(cls, "fuses", None) is True
        and any(field.annotation == ColumnWeights for field in cls.Config.model_fields.values())
        for key, field in cls.Config.model_fields.items()
        if field.annotation is Normaliser
    ]
    if not fusions:
        return "$fusion", "$normalise"
    cls, normalise = min(fusions, key=lambda fusion: len(fusion[0].Config.__mro__))
    return cls.name, normalise


def _filled(usage: Any, mappings: Mapping[str, dict[str, Any]]) -> Any:
    """Fill in an example, which was parsed from YAML: replace each key of `mappings` by the keys and values there.

    A re-ranker that is still the placeholder `$fusion` is removed, since the example needs no fusion.
    """
    if isinstance(usage, list):
        return [_filled(item, mappings) for item in usage if item != {"use": "$fusion"}]
    if not isinstance(usage, dict):
        return usage
    content: dict[str, Any] = {}
    for key, value in usage.items():
        content |= mappings[key] if key in mappings else {key: _filled(value, mappings)}
    return content


def _facts(cls: type[Plugin]) -> list[str]:
    """Describe the stages, targets and needs of a component, in one text each; return [] for other classes."""
    from hybridrec.stages.component import Component, Generator, Reranker, Scorer

    if not issubclass(cls, Component):
        return []
    roles = [word for word, role in (("generator", Generator), ("scorer", Scorer), ("re-ranker", Reranker))
             if issubclass(cls, role)]  # fmt: skip
    # Attributes may depend on the options; if one has no default, those of the class are used.
    required = any(field.is_required() for field in cls.Config.model_fields.values())
    instance = cls if required else cls()
    facts = [f"Stages: {', '.join(roles)}", f"Targets: {', '.join(instance.targets)}"]
    if issubclass(cls, Reranker):
        facts += [] if cls.fuses is None else [f"Fuses columns: {'yes' if cls.fuses else 'no, it reorders'}"]
    else:
        needs = ", ".join(sorted(instance.needs))
        facts.append(f"Serves: queries that know one of {needs}" if needs else "Serves: every query")
        facts.append(f"Unknown users: {'served from their history' if instance.folds_in else 'not from their history'}")
    if cls.requires:
        facts.append(f"Needs the libraries: {', '.join(cls.requires)}")
    return facts


def _options(model: type[Options]) -> list[tuple[str, str, str, str]]:
    schema = model.model_json_schema(by_alias=True)
    return list(rows(schema, schema.get("$defs", {})))


def rows(
    schema: dict[str, Any], definitions: dict[str, Any], path: str = "", *, deep: bool = True
) -> Iterator[tuple[str, str, str, str]]:
    """Yield (key, type, default, meaning) for each key of a JSON Schema.

    With `deep`, the keys of nested mappings follow, as `mapping.key`.
    """
    required = set(schema.get("required", ()))
    for key, entry in schema.get("properties", {}).items():
        default = "required" if key in required else json.dumps(entry.get("default"), ensure_ascii=False)
        below = _mapping(entry, definitions)
        shown = "as below" if below is not None and default not in ("required", "null") else default
        yield path + key, _type(entry, definitions), shown, " ".join(entry.get("description", "").split())
        if below is not None and deep:
            yield from rows(below, definitions, f"{path}{key}.")


def _mapping(entry: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of an option's value if it is a mapping with known keys, else None."""
    for member in (entry, *entry.get("anyOf", ())):
        definition = definitions.get(member.get("$ref", "").rsplit("/", 1)[-1])
        if definition is not None and "properties" in definition:
            return definition
    return None


def _type(entry: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Describe the type in a JSON Schema in a few words, such as "integer ≥ 1"."""
    if "$ref" in entry:
        return _type(definitions[entry["$ref"].rsplit("/", 1)[1]], definitions)
    if "enum" in entry:
        return " | ".join(str(value) for value in entry["enum"])
    if "const" in entry:
        return str(entry["const"])
    if "anyOf" in entry:
        return " | ".join(dict.fromkeys(_type(member, definitions) for member in entry["anyOf"]))
    kind = entry.get("type", "any")
    if kind == "array":
        return f"list of {_type(entry.get('items', {}), definitions)}"
    if kind == "object":
        inner = entry.get("additionalProperties")
        return f"mapping to {_type(inner, definitions)}" if isinstance(inner, dict) else "mapping"
    low, high = entry.get("minimum", entry.get("exclusiveMinimum")), entry.get("maximum", entry.get("exclusiveMaximum"))
    bounds = [f"{'≥' if 'minimum' in entry else '>'} {low}"] if low is not None else []
    bounds += [f"{'≤' if 'maximum' in entry else '<'} {high}"] if high is not None else []
    return " ".join([kind, *bounds])
