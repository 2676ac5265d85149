"""The OpenAPI document, made from the table of endpoints and the models, and a page that shows it without scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from markupsafe import Markup, escape
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hybridrec_server.endpoints import Endpoint
from hybridrec_server.problems import KINDS
from hybridrec_server.schemas import Problem

VERSION = "1"
"""Version of the HTTP interface, which its addresses begin with: a change that breaks clients makes another one."""
PREFIX = "#/components/schemas/"
TEMPLATE = Path(__file__).parent / "pages" / "api.html"
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the OpenAPI document (3.1) of these endpoints."""
    asked = {model for endpoint in endpoints for model in (*endpoint.request, endpoint.parameters) if model is not None}
    answered = {model for endpoint in endpoints for model in _models(endpoint.response)} | {Problem}
    pairs = [(model, "validation") for model in asked] + [(model, "serialization") for model in answered]
    names, definitions = models_json_schema(
        sorted(pairs, key=lambda pair: pair[0].__name__),  # type: ignore[arg-type]
        ref_template=PREFIX + "{model}",
    )
    schemas = dict(sorted(definitions["$defs"].items()))
    references = {model: reference for (model, _), reference in names.items()}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, references, schemas)
    for model in asked:  # a model of parameters is spread over the parameters
        if any(endpoint.parameters is model for endpoint in endpoints):
            schemas.pop(model.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hybridrec",
            "version": VERSION,
            "description": "Recommendations from a bundle. Errors are problem details (RFC 9457).",
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def as_json(content: dict[str, Any]) -> bytes:
    """Return the document as JSON."""
    return orjson.dumps(content, option=orjson.OPT_INDENT_2)


def page(content: dict[str, Any], address: str) -> bytes:
    """Return the page about the document: endpoints with examples as curl commands, models, problems.

    address: the server's own, for the commands
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["compact"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    environment.filters["words"] = _words
    environment.filters["prose"] = _prose
    environment.filters["example_of"] = _example
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(document=content, kinds=KINDS, address=address).encode()


def _models(response: Any) -> tuple[type[BaseModel], ...]:
    return response if isinstance(response, tuple) else () if response is None else (response,)


def _operation(endpoint: Endpoint, references: dict[Any, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.summary}
    parameters = [_path_parameter()] if "{id}" in endpoint.path else []
    if endpoint.parameters is not None:
        parameters += _parameters(schemas[endpoint.parameters.__name__])
    if parameters:
        operation["parameters"] = parameters
    if endpoint.request:
        content = {"schema": _any_of([references[model] for model in endpoint.request])}
        if endpoint.examples:
            content["examples"] = {name.replace(" ", "-"): {"summary": name, "value": value}
                                   for name, value in endpoint.examples.items()}  # fmt: skip
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    operation["responses"] = _responses(endpoint, references)
    if endpoint.scope is not None:
        operation["security"] = [{}, {"bearer": []}, {"key": []}]  # {}: a server on loopback may have no keys
    return operation


def _responses(endpoint: Endpoint, references: dict[Any, Any]) -> dict[str, Any]:
    models = [references[model] for model in _models(endpoint.response)]
    content: dict[str, Any] = {"schema": _any_of(models) if models else {"type": "string"}}
    if endpoint.answer is not None:
        content["example"] = endpoint.answer
    answer = {"description": "The answer.", "content": {endpoint.media_type: content}}
    responses: dict[str, dict[str, Any]] = {"200": answer}
    problems: dict[str, list[str]] = {}
    for kind in endpoint.kinds:
        problems.setdefault(str(KINDS[kind].status), []).append(KINDS[kind].title)
    for status, titles in problems.items():
        responses[status] = {
            "description": "; ".join(titles) + ".",
            "content": {"application/problem+json": {"schema": {"$ref": PREFIX + Problem.__name__}}},
        }
    for status in map(str, endpoint.statuses):
        content = {endpoint.media_type: {"schema": _any_of(models)}}
        text = "The same, where it was refused." if status == "409" else "The same, while it is not ready."
        entry = responses.setdefault(status, {"description": text, "content": {}})
        entry["content"] |= content
    return dict(sorted(responses.items()))


def _any_of(references: Sequence[Any]) -> Any:
    return references[0] if len(references) == 1 else {"anyOf": list(references)}


def _path_parameter() -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1}
    return {"name": "id", "in": "path", "required": True, "schema": schema, "example": "dark-star"}


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    parameters = []
    for name, content in schema["properties"].items():
        parameter = {"name": name, "in": "query", "required": name in required}
        if "description" in content:
            parameter["description"] = content["description"]
        if "examples" in content:
            parameter["example"] = content["examples"][0]
        others = ("title", "description", "examples")
        parameters.append({**parameter, "schema": {key: content[key] for key in content if key not in others}})
    return parameters


def _example(operation: dict[str, Any], path: str) -> str:
    """Return the address of an operation without a body, with the examples of its parameters."""
    examples = [each for each in operation.get("parameters", []) if "example" in each]
    within = {each["name"]: each["example"] for each in examples if each["in"] == "path"}
    query = urlencode({each["name"]: each["example"] for each in examples if each["in"] == "query"})
    return path.format(**within) + (f"?{query}" if query else "")


def _prose(text: str) -> Markup:
    """Return a text in which words between backticks are code."""
    pieces = [Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
              for number, piece in enumerate(text.split("`"))]  # fmt: skip
    return Markup("").join(pieces)


def _words(schema: dict[str, Any]) -> Markup:
    """Return the type that a schema describes in a few words, with links to models."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(PREFIX)
        return Markup('<a href="#model-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(dict.fromkeys(_words(each) for each in schema["anyOf"]))
    if "const" in schema:
        return escape(json.dumps(schema["const"]))
    if "enum" in schema:
        return escape(" or ".join(json.dumps(value) for value in schema["enum"]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return Markup("list of {}").format(_words(schema.get("items", {})))
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return Markup("object of {}").format(_words(schema["additionalProperties"]))
    bounds = [f"{sign} {schema[key]:,}" for key, sign in _BOUNDS if key in schema and abs(schema[key]) < 1e15]
    return escape(" ".join([str(kind), *bounds]))


_BOUNDS = (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "of length ≤"))
