"""Options that name another plugin: found, with its own options checked, when the config is validated."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, ValidationError, ValidationInfo, WithJsonSchema

from hybridrec.errors import HybridrecError
from hybridrec.registry.discovery import Registry
from hybridrec.stages.normaliser import Normaliser


@cache
def _installed() -> Registry:
    """Where options look that are made in Python, outside the check of a document."""
    return Registry()


def _normaliser(value: object, info: ValidationInfo) -> object:
    """A name, or a mapping of `use` and options, becomes an instance; anything else is left to pydantic to refuse."""
    use, options = (value, {}) if isinstance(value, str) else _parts(value)
    if not isinstance(use, str):
        return value
    registry = (info.context or {}).get("registry") or _installed()
    try:
        cls = registry.get("normalisers", use)
        return cls(cls.Config.model_validate(options, context=info.context))
    except HybridrecError as error:
        raise ValueError(str(error)) from error
    except ValidationError as error:
        problems = ((".".join(map(str, found["loc"])), found["msg"]) for found in error.errors())
        raise ValueError("; ".join(f"{use}.{key}: {message}" for key, message in problems)) from error


def _parts(value: object) -> tuple[object, dict[str, Any]]:
    options = dict(value) if isinstance(value, dict) else {}
    return options.pop("use", None), options


def _named(value: Normaliser) -> str | dict[str, Any]:
    """The way back."""
    options = value.config.model_dump(mode="json")
    return {"use": value.name, **options} if options else value.name


NormaliserUse = Annotated[
    InstanceOf[Normaliser],
    BeforeValidator(_normaliser),
    PlainSerializer(_named),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "required": ["use"]}]}),
]
"""An option that names a normaliser: `normalise: zscore`, or `normalise: {use: softmax, temperature: 0.5}`."""
