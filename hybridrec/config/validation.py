"""Validation of sections of a document against models, with the place in the file of every mistake."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hybridrec.config.yaml_document import KeyPath, YamlDocument
from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.secret import MISTAKE

M = TypeVar("M", bound=BaseModel)

_MOST = 20
"""The most mistakes of a section that a message lists: a file that is not a config has thousands."""
_LONGEST = 2_000
"""The most characters of one mistake's description."""


class Validator:
    """A validator of the sections of one document; `context` is passed to the validators of the models."""

    def __init__(self, document: YamlDocument, context: dict[str, Any]) -> None:
        self.document = document
        self.context = context

    def validate(self, model: type[M], content: Mapping[str, Any], path: KeyPath) -> M:
        """Make a model from the content at a key path; raises ConfigError with all mistakes in it."""
        try:
            return model.model_validate(content, context=self.context)
        except ValidationError as error:
            raise self.mistake(error, model, path) from None

    def mistake(self, error: ValidationError, model: type[BaseModel], path: KeyPath) -> ConfigError:
        """Convert pydantic's error for the content at a key path to a ConfigError with a line for each problem."""
        lines = []
        problems = error.errors(include_url=False)
        given = (problem["input"] for problem in problems if problem["type"] == MISTAKE)
        secrets = {str(value) for value in given if value not in ("", None)}
        for problem in problems[:_MOST]:
            if problem["type"] != MISTAKE and any(secret in str(problem["input"]) for secret in secrets):
                continue  # another reading of the same value, which must not be shown
            location = tuple(step for step in problem["loc"] if step not in ("[key]",))
            place = (*path, *self.in_document(path, location))
            reason = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                reason = f"unknown key: {did_you_mean(str(location[-1]), _keys(model, location[:-1]))}"
            elif problem["type"] == "missing":
                reason = "this key is required"
            elif problem["type"] == "model_type":
                keys = ", ".join(sorted(_keys(model, location)))
                reason = f"Input should be a mapping with keys of {keys}, got {problem['input']!r:.60}"
            elif problem["type"] == "path_type":
                reason = "the path is empty" if problem["input"] is None else f"no path: {problem['input']!r:.60}"
            elif problem["type"] == "string_type" and isinstance(problem["input"], (int, float)):
                reason = f"Input should be text, got {problem['input']!r}: put it in quotes"
            elif problem["type"] != MISTAKE and (
                problem["type"] != "value_error" or "'" not in reason
            ):  # a validator of ours that quotes has said it
                reason = f"{reason}, got {problem['input']!r:.60}"
            lines.append(
                f"{self.document.where(place)}: {reason if len(reason) < _LONGEST else reason[:_LONGEST] + '...'}"
            )
        if len(problems) > _MOST:
            lines.append(f"and {len(problems) - _MOST} more mistakes")
        return ConfigError("\n".join(dict.fromkeys(lines)))

    def in_document(self, path: KeyPath, location: KeyPath) -> KeyPath:
        """Return a location below `path` without the steps that pydantic adds for members of unions.

        All steps of the result are keys and indices of the document; the last one may be missing there.
        """
        here: Any = self.document.content
        for step in path:
            here = here[step] if isinstance(here, (dict, list)) and _has(here, step) else None  # type: ignore[index]
        kept: list[str | int] = []
        for index, step in enumerate(location):
            exists = isinstance(here, (dict, list)) and _has(here, step)
            if exists or (index == len(location) - 1 and not _is_tag(step)):
                kept.append(step)
            if exists:
                here = here[step]
        return tuple(kept)

    def fail(self, path: KeyPath, message: str) -> ConfigError:
        """Return, but do not raise, a ConfigError with a message for a place in the document."""
        return ConfigError(f"{self.document.where(path)}: {message}")


def _has(container: Any, step: str | int) -> bool:
    if isinstance(container, list):
        return isinstance(step, int) and step < len(container)
    return step in container


def _is_tag(step: str | int) -> bool:
    """Return True if a step of a location is a name that pydantic adds for a member of a union."""
    types = ("int", "str", "float", "bool", "list", "dict", "range")
    return isinstance(step, str) and ("[" in step or step.removeprefix("constrained-") in types)


def _keys(model: type[BaseModel], location: KeyPath) -> set[str]:
    """Return the keys that are valid in the model at a location inside `model`."""
    members = nested_models(model)
    for step in location:
        below: list[type[BaseModel]] = []
        for member in members:
            for name, field in member.model_fields.items():
                if step in (name, field.alias):
                    below += nested_models(field.annotation)
        members = below or members
    return {field.alias or name for member in members for name, field in member.model_fields.items()}


def nested_models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models inside an annotation such as `dict[str, A] | list[B] | None`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for inner in typing.get_args(annotation) for model in nested_models(inner)]
