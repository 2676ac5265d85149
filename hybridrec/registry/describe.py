"""Reference pages of plugin classes, made from their docstrings and options."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from hybridrec.errors import did_you_mean
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.validation import KINDS


@dataclass(frozen=True, slots=True)
class Page:
    """What there is to say about a plugin class."""

    name: str
    kind: str
    version: str
    origin: str
    text: str
    facts: tuple[str, ...]
    options: tuple[tuple[str, str, str, str], ...]
    """(key, type, default, meaning)"""
    example: str
    """The smallest piece of YAML that uses it."""


def describe(name: str, registry: Registry) -> list[Page]:
    """The pages of everything that is called `name`; ConfigError if nothing is, PluginError if two plugins offer it."""
    pages = [_page(cls, kind, registry) for kind, cls in registry.named(name)]
    if not pages:
        known = {known for kind in KINDS for known in registry.names(kind)}
        raise registry.missing(f"nothing is called '{name}': {did_you_mean(name, known)}")
    return pages


def _page(cls: type[Plugin], kind: str, registry: Registry) -> Page:
    provider = registry.provider_of(cls)
    return Page(
        name=cls.name,
        kind=kind.removesuffix("s"),
        version=cls.version,
        origin="unknown" if provider is None else f"{provider.distribution} {provider.version}",
        text=inspect.getdoc(cls) or "",
        facts=tuple(_facts(cls)),
        options=tuple(_options(cls.Config)),
        example=yaml.safe_dump(_example(cls, kind, registry), sort_keys=False, default_flow_style=None, width=100),
    )


def _example(cls: type[Plugin], kind: str, registry: Registry) -> dict[str, Any]:
    """What an experiment file says to use a class, with the first of the examples of each required option."""
    from hybridrec.stages.component import Generator, Reranker

    fields = cls.Config.model_fields.items()
    options = {field.alias or key: (field.examples or [None])[0] for key, field in fields if field.is_required()}
    if kind == "readers":
        return {"data": {"reader": cls.name, **options}}
    if kind == "splitters":
        return {"split": {"use": cls.name, **options}}
    if kind == "metrics":
        return {"compare": {"metrics": [f"{cls.name}@10" if cls.cut_off else cls.name]}}  # type: ignore[attr-defined]
    if kind == "normalisers":
        return {"pipelines": {"mine": {"rerank": [{"use": _a_fusion(registry, "normalise"), "normalise": cls.name}]}}}
    if issubclass(cls, Reranker):
        before = [{"use": _a_fusion(registry)}] if cls.fuses is False else []
        return {"pipelines": {"mine": {"rerank": [*before, {"use": cls.name, **options}]}}}
    stage = {"generators": [{"from": cls.name, "k": 200}]} if issubclass(cls, Generator) else {"scorers": [cls.name]}
    # The example of a label is a component's name.
    used: dict[str, Any] = {options["uses"]: {}} if "uses" in options else {}
    return {"components": {**used, cls.name: options}, "pipelines": {"mine": stage}}


def _a_fusion(registry: Registry, *options: str) -> str:
    """Return the name of an installed fusion that has these options."""
    fusions = (cls for cls in registry.classes("components") if getattr(cls, "fuses", None))
    return next((cls.name for cls in fusions if {*options} <= cls.Config.model_fields.keys()), "NAME")


def _facts(cls: type[Plugin]) -> list[str]:
    """What a component can do, for classes that are one."""
    from hybridrec.stages.component import Component, Generator, Reranker, Scorer

    if not issubclass(cls, Component):
        return []
    roles = [word for word, role in (("generator", Generator), ("scorer", Scorer), ("re-ranker", Reranker))
             if issubclass(cls, role)]  # fmt: skip
    # What it serves may depend on options; where one has no default, the class itself is asked.
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
    """(key, type, default, meaning) of the keys of a schema; `deep` adds those of mappings below, as `mapping.key`."""
    required = set(schema.get("required", ()))
    for key, entry in schema.get("properties", {}).items():
        default = "required" if key in required else json.dumps(entry.get("default"), ensure_ascii=False)
        below = _mapping(entry, definitions)
        shown = "as below" if below is not None and default not in ("required", "null") else default
        yield path + key, _type(entry, definitions), shown, " ".join(entry.get("description", "").split())
        if below is not None and deep:
            yield from rows(below, definitions, f"{path}{key}.")


def _mapping(entry: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of the mapping that an option is, if it is one with keys of its own."""
    for member in (entry, *entry.get("anyOf", ())):
        found = definitions.get(member.get("$ref", "").rsplit("/", 1)[-1])
        if found is not None and "properties" in found:
            return found
    return None


def _type(entry: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON Schema type in few words."""
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
