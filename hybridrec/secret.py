"""Options that are secrets: a config says where a secret is found, and no file that is written contains it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SerializationInfo, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from hybridrec.assigned_text import AssignedText
from hybridrec.errors import ConfigError

KEYED = "keyed"
"""Key of the serialization context: if its value is true, secrets and their references are hidden, for a digest."""
MISTAKE = "secret"
"""Type of the validation error about a secret that stands in a config; messages must not show its input."""
_REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)")
_PASSWORD = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$?\{\w*\}@)[^/\s@]+@"
    r"|://\S*[?&;](password|passwd|pwd|(access_?|auth_?)?token|api_?key|secret|sig|x-amz-signature|signature)="
    r"(?!\$?\{\w*\})[^&;\s]",
    re.IGNORECASE,
)
_NAMED_SECRET = re.compile(r"pass|pwd|token|key|secret", re.IGNORECASE)
_SHORTEST = 4
"""Number of characters of the shortest secret that is struck out; shorter texts occur in every sentence."""
_HIDDEN = "***"
_revealed: set[str] = set()


class Secret:
    """An option that is a secret, such as a password; a config only has a reference to it, `env:NAME` or `file:PATH`.

    `reveal` returns the secret itself. Only the reference is shown and written to files, and neither the secret nor the
    reference enters the keys of the store. A relative path starts at the folder of the config, or at the working folder
    if it is assigned (`--set`).
    """

    __slots__ = ("reference",)

    def __init__(self, reference: str) -> None:
        """Take a reference, `env:NAME` or `file:PATH`; raises ConfigError for any other text.

        The message does not show the text, which may be the secret itself.
        """
        if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
            raise ConfigError(_REMEDY)
        self.reference = reference

    def reveal(self) -> str:
        """Return the secret, without white space around it; raises ConfigError if it is not found at its reference.

        From now on the secret is struck out of errors of plugins, of notes and of all that commands print.
        """
        kind, _, place = self.reference.partition(":")
        if kind == "env":
            value = os.environ.get(place, "").strip()
            if not value:
                raise ConfigError(f"the environment variable {place}, which shall hold a secret, is not set")
        else:
            try:
                value = Path(place).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "it is not text"
                raise ConfigError(f"{place}, which shall hold a secret, cannot be read: {reason}") from None
            if not value:
                raise ConfigError(f"{place}, which shall hold a secret, is empty")
        _revealed.update(_secrets_in(value))
        return value

    def __repr__(self) -> str:
        return f"Secret('{self.reference}')"

    def __str__(self) -> str:
        return self.reference

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.reference == other.reference

    def __hash__(self) -> int:
        return hash(self.reference)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Return the schema by which pydantic makes a Secret of a reference, and writes the reference of a Secret."""
        written = core_schema.plain_serializer_function_ser_schema(
            _written, info_arg=True, return_schema=core_schema.str_schema()
        )
        return core_schema.with_info_plain_validator_function(_validated, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the JSON Schema of a reference."""
        return {"type": "string", "pattern": f"^{_REFERENCE.pattern}$"}


_REMEDY = (
    "a secret is not written down: say `env:NAME` for an environment variable that holds it, or `file:PATH` for a file"
)


def _validated(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise PydanticCustomError(MISTAKE, _REMEDY)
    folder = Path.cwd() if isinstance(value, AssignedText) else (info.context or {}).get("folder")
    if folder is not None and value.startswith("file:"):
        return Secret(f"file:{Path(folder, Path(value.removeprefix('file:')).expanduser()).resolve()}")
    return Secret(value)


def _written(secret: Secret, info: SerializationInfo) -> str:
    return _HIDDEN if isinstance(info.context, dict) and info.context.get(KEYED) else secret.reference


def holds_password(text: str) -> bool:
    """Return True for a text with a URL that contains a password, before its host or as a parameter (`?token=...`).

    A name in braces, which a plugin replaces later, does not count as a password.
    """
    return _PASSWORD.search(text) is not None


def _secrets_in(value: str) -> Iterator[str]:
    """Yield a secret. If it is the address of a server, yield also the password and the keys in the address.

    Messages of libraries may repeat the password or a key without the rest of the address.
    """
    yield value
    with suppress(ValueError):
        address = urlsplit(value)
        if address.scheme and address.password:
            yield address.password
            yield unquote(address.password)
        if address.scheme:
            yield from (text for name, text in parse_qsl(address.query) if _NAMED_SECRET.search(name))


def redacted(text: str) -> str:
    """Return a text in which the secrets that were revealed in this process are struck out, also in escaped form."""
    for value in sorted(_revealed, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            for spelling in {value, quote(value, ""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]}:
                text = text.replace(spelling, _HIDDEN)
    return text


def reveals(error: BaseException) -> bool:
    """Return True if an error, one of its notes, or an error that caused it contains a revealed secret."""
    return any(redacted(text) != text for each in _behind(error) for text in _texts(each))


def _behind(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and not any(each is other for other in seen):
            seen.append(each)
            yield each
            waiting += [each.__cause__, each.__context__]


def _texts(error: BaseException) -> Iterator[str]:
    yield str(error)
    yield repr(error)
    yield from map(str, getattr(error, "__notes__", ()))
