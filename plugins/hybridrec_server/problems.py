"""Problem details (RFC 9457): the kinds of errors that the server answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import orjson
from pydantic import BaseModel, ValidationError

from hybridrec import did_you_mean

MEDIA_TYPE = b"application/problem+json"
MAX_MISTAKES = 20
"""Number of mistakes of one request that are listed."""
MAX_PATH = 200
"""Number of characters after which a key path is cut: keys are the client's own text."""


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """A kind of problem: its status, its title, and what a client can do about it."""

    status: int
    title: str
    remedy: str


KINDS = {
    "malformed": ProblemKind(400, "The body is not unambiguous JSON", "Send one JSON object in UTF-8."),
    "no-key": ProblemKind(401, "A valid API key is missing", "Send `Authorization: Bearer KEY`."),
    "forbidden": ProblemKind(403, "The API key may not do this", "Use a key with the scope `admin`."),
    "not-found": ProblemKind(404, "There is nothing at this address", "`/openapi.json` lists all addresses."),
    "method": ProblemKind(405, "The address does not have this method", "The header `Allow` lists those it has."),
    "body-timeout": ProblemKind(408, "The body did not come in time", "Send it again, faster."),
    "too-large": ProblemKind(413, "The body is too large", "Send fewer queries or events in a body."),
    "media-type": ProblemKind(415, "The body is not declared as JSON", "Send `Content-Type: application/json`."),
    "host": ProblemKind(
        421, "The header Host names another server", "Set `allowed_hosts` to the names of this server."
    ),
    "invalid": ProblemKind(422, "The request does not follow the schema", "`errors` has the key path of each mistake."),
    "rate": ProblemKind(429, "The API key sends too many requests", "Wait for the seconds in `Retry-After`."),
    "internal": ProblemKind(500, "The server made a mistake", "Tell its operator the `trace`; it is in the log."),
    "overloaded": ProblemKind(503, "The server has too much to do", "Wait for the seconds in `Retry-After`."),
}
"""Name -> kind of problem."""


class Problem(Exception):  # noqa: N818
    """An error that is answered with problem details.

    kind: name in `KINDS`
    detail: a sentence about this very request
    mistakes: (key path, message) of each mistake in it
    headers: further headers of the response
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        mistakes: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Set the fields of the problem."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.mistakes = mistakes
        self.headers = headers or {}

    @property
    def status(self) -> int:
        """The status of the response."""
        return KINDS[self.kind].status

    def body(self, trace: str) -> bytes:
        """Return the problem details as JSON; `trace` is the trace id of the request, which the log has, too."""
        kind = KINDS[self.kind]
        details: dict[str, Any] = {
            "type": f"/api#problem-{self.kind}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "trace": trace,
        }
        if self.mistakes:
            details["errors"] = [{"path": path, "message": message} for path, message in self.mistakes]
        return orjson.dumps(details)


def overloaded(message: str, retry_after: float) -> Problem:
    """Return the problem of a request that is turned away; the client may come again after these seconds."""
    return Problem("overloaded", message, headers={"retry-after": str(max(1, round(retry_after)))})


def invalid(mistakes: Sequence[tuple[str, str]]) -> Problem:
    """Return the problem of a request with mistakes, (key path, message) each; the first ones are listed."""
    count = len(mistakes)
    detail = f"{count} mistakes" if count != 1 else "one mistake"
    return Problem("invalid", f"{detail} in the request; `errors` says where", mistakes[:MAX_MISTAKES])


def of_validation(error: ValidationError, body: Any, model: type[BaseModel]) -> Problem:
    """Return the problem of a body that a model refused.

    Several alternatives that were refused at one path become one mistake.
    """
    messages: dict[str, list[str]] = {}
    for mistake in error.errors(include_url=False, include_context=False, include_input=False):
        message = str(mistake["msg"]).removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden" and len(messages) < MAX_MISTAKES:  # looking for a near key takes time
            message = _unknown_key(model, mistake["loc"])
        at_path = messages.setdefault(key_path(mistake["loc"], body, mistake["type"] == "missing"), [])
        if message not in at_path:
            at_path.append(message)
    return invalid([(path, "; or: ".join(alternatives)) for path, alternatives in messages.items()])


def _unknown_key(model: type[BaseModel], place: Sequence[str | int]) -> str:
    """Return the message about a key that a model, or one below it, does not have."""
    keys = _keys(model)
    for key in place[:-1]:
        if isinstance(key, str) and key in keys and (below := _model_in(keys[key])) is not None:
            keys = _keys(below)
    return f"unknown key: {did_you_mean(str(place[-1])[:MAX_PATH], keys)}"


def _keys(model: type[BaseModel]) -> dict[str, Any]:
    """Return the keys of a model's JSON, with the types of their values."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in a type, such as that of the entries of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


def key_path(place: Sequence[str | int], body: Any, missing: bool = False) -> str:
    """Return a place in a body as text, such as `queries[2].context.hour`.

    place: keys and indices, as pydantic gives them; those that are names of alternatives are left out
    missing: True if the last key is one that the body does not have
    """
    path, node = "", body
    for number, key in enumerate(place):
        if isinstance(node, dict) and key in node:
            path, node = joined(path, str(key)), node[key]
        elif isinstance(node, list) and isinstance(key, int) and key < len(node):
            path, node = f"{path}[{key}]", node[key]
        elif missing and number == len(place) - 1:
            path = joined(path, str(key))
    return shortened(path)


def shortened(path: str) -> str:
    """Return a path, cut if it is long."""
    return path if len(path) <= MAX_PATH else f"{path[:MAX_PATH]}..."


def joined(path: str, key: str) -> str:
    """Return the path of a key below a path."""
    key = key.encode(errors="replace").decode()  # half of a surrogate pair cannot be sent back
    return f"{path}.{key}" if path else key
