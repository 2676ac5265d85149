"""The JSON Schema of experiment files, with the options of every installed plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hybridrec.config.models import ComponentUse, DataUse, ExperimentConfig, MetricUse, SegmenterUse
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.stages.component import Reranker


def experiment_schema(registry: Registry) -> dict[str, Any]:
    """Build the JSON Schema (draft 2020-12) of an experiment file, by which editors complete and check it."""
    schema = ExperimentConfig.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    classes = list(registry.classes("components"))
    rerankers = [cls for cls in classes if issubclass(cls, Reranker)]
    others = [cls for cls in classes if not issubclass(cls, Reranker)]
    definitions["Component"] = {"anyOf": [_component(cls, definitions) for cls in others]}
    # A component whose label is its name does not need `use`.
    definitions["Component"]["anyOf"].append({"type": "object", "not": {"required": ["use"]}})
    definitions["Component"]["anyOf"].append({"type": "null"})
    definitions["Reranker"] = _choice("use", rerankers, definitions)
    definitions["Split"] = _choice("use", registry.classes("splitters"), definitions)
    definitions["DataUse"] = {"anyOf": [_reader(cls, definitions) for cls in registry.classes("readers")]}
    definitions["MetricUse"] = {"anyOf": [_metric(cls, definitions) for cls in registry.classes("metrics")]}
    definitions["SegmenterUse"] = {"anyOf": [_segmenter(cls, definitions) for cls in registry.classes("segmenters")]}
    components = schema["properties"]["components"]
    components["patternProperties"] = {key: {"$ref": "#/$defs/Component"} for key in components["patternProperties"]}
    schema["properties"]["split"] = {"$ref": "#/$defs/Split"}
    chain = {"type": "array", "items": {"$ref": "#/$defs/Reranker"}}
    rerank = definitions["PipelineUse"]["properties"]["rerank"]
    rerank.pop("oneOf")
    rerank["anyOf"] = [chain, {"type": "object", "additionalProperties": chain}]
    executors = list(registry.classes("executors"))
    schema["properties"]["executor"] = {
        **{key: value for key, value in schema["properties"]["executor"].items() if key != "anyOf"},
        "anyOf": [{"enum": [cls.name for cls in executors]}, *(_options("use", cls, definitions) for cls in executors)],
    }
    definitions["Filter"] = _choice("use", registry.classes("filters"), definitions)
    for holder in (schema, definitions["PipelineUse"]):
        holder["properties"]["filters"]["items"] = {"$ref": "#/$defs/Filter"}
    schema["properties"]["observe"] = {
        **schema["properties"]["observe"],
        "properties": {cls.name: _observer(cls, definitions) for cls in registry.classes("observers")},
    }
    definitions.pop("Use", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _choice(key: str, classes: Iterable[type[Plugin]], definitions: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of a mapping whose `key` names one of these classes and whose other keys are its options."""
    return {"anyOf": [_options(key, cls, definitions) for cls in classes]}


def _component(cls: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of a component with its options; one option may have several values, under `choose`."""
    schema = _options("use", cls, definitions)
    chosen = ComponentUse.model_json_schema(by_alias=True)["properties"]["choose"]
    # An option that is chosen has no value of its own, even if the class requires one.
    needed = [key for key in schema["required"] if key != "use"]
    schema["properties"]["choose"] = chosen
    if needed:
        schema["required"] = ["use"]
        schema["anyOf"] = [{"required": needed}, {"required": ["choose"]}]
    return schema


def _reader(cls: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of a reader with its options, and of the keys of `data` that all readers have in common."""
    schema = _options("reader", cls, definitions)
    schema["properties"]["through_items"] = DataUse.model_json_schema(by_alias=True)["properties"]["through_items"]
    return schema


def _observer(cls: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of the options of an observer; it allows null if every option has a default."""
    schema = cls.Config.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    schema["description"] = (cls.__doc__ or "").strip().split("\n", 1)[0]
    return schema if schema.get("required") else {"anyOf": [schema, {"type": "null"}]}


def _metric(cls: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of an entry of `metrics` that is a mapping: metric, options, cut-off and name in reports."""
    schema = _options("use", cls, definitions)
    own = MetricUse.model_json_schema(by_alias=True)["properties"]
    for_targets = {"type": "string", "pattern": f"^[^/]+/{re.escape(cls.name)}$"}
    schema["properties"]["use"] = {
        "anyOf": [{"const": cls.name}, for_targets],
        "description": schema["properties"]["use"]["description"],
    }
    schema["properties"] |= {key: own[key] for key in ("at", "of", "as")}
    return schema


def _segmenter(cls: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    """Build the schema of an entry of `segments` that is a mapping: segmenter, options and name in reports."""
    schema = _options("use", cls, definitions)
    schema["properties"]["as"] = SegmenterUse.model_json_schema(by_alias=True)["properties"]["as"]
    return schema


def _options(key: str, cls: type[Plugin], definitions: dict[str, Any]) -> dict[str, Any]:
    schema = cls.Config.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    summary = (cls.__doc__ or "").strip().split("\n", 1)[0]
    schema["properties"] = {key: {"const": cls.name, "description": summary}, **schema.get("properties", {})}
    schema["required"] = [key, *schema.get("required", [])]
    schema["title"] = cls.name
    return schema
