"""Loosely typed names resolved to ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybridrec.data.dataset import Dataset
from hybridrec.data.features import FeatureType, FeatureValue
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError, did_you_mean
from hybridrec.types import ITEMS, EntityKind


@dataclass(frozen=True, slots=True)
class Match:
    """The item, or other entity, that a loosely typed name was resolved to."""

    id: str
    name: str
    score: float
    """0 to 100: similarity of the name to the typed text."""


def find(text: str, data: Dataset, kind: EntityKind) -> Match:
    """Find the entity of a kind meant by `text`: by id, by name, else the nearest name.

    Raises DataError for a kind that the data does not have, and if no name is near.
    """
    if kind not in data.entities:
        raise DataError(f"unknown kind '{kind}': {did_you_mean(kind, data.entities)}")
    others = ", ".join(f"--by {other}" for other in (ITEMS, *data.kinds) if other != kind)
    hint = f" (or is it one of another kind: {others}?)" if others else ""
    return find_among(text, data.vocabulary(kind), data.entities[kind].names(), kind, hint)


def find_among(text: str, ids: Vocabulary, names: Sequence[str], kind: str, hint: str = "") -> Match:
    """Find the one of these ids, all of a kind, that is meant by `text`: by id, by name, else by the nearest name.

    Raises DataError if no name is near; `hint` ends its message.
    """
    from rapidfuzz import fuzz, process

    if text in ids:
        code = int(ids.encode([text])[0])
        return Match(text, names[code], 100.0)
    typed = text.casefold()
    exact = next((code for code, name in enumerate(names) if name.casefold() == typed), None)
    if exact is not None:
        return Match(ids.packed[exact], names[exact], 100.0)
    near = process.extract(typed, names, scorer=fuzz.WRatio, processor=str.casefold, score_cutoff=60, limit=1000)
    if not near:
        raise DataError(f"nothing among {len(names)} {kind} is called like '{text}'{hint}")
    # One common word makes many names fit equally well, so the whole name decides between them.
    name, score, code = min(
        near, key=lambda match: (-match[1], -fuzz.token_sort_ratio(typed, match[0].casefold()), match[2])
    )
    return Match(ids.packed[code], name, score)


def read_context(texts: Mapping[str, str], data: Dataset) -> dict[str, FeatureValue]:
    """Read typed columns of a request from texts, as a command line gives them.

    Raises DataError for a column that the data does not have, and for a text that does not suit its type.
    """
    if not texts:
        return {}
    columns = data.interactions.context
    if columns is None:
        raise DataError("context: the interactions of this data have no columns of requests")
    return {name: _read_value(text, columns.column(name).type, name) for name, text in texts.items()}


def _read_value(text: str, kind: FeatureType, name: str) -> FeatureValue:
    if kind == "category":
        return text
    if kind == "flag":
        if text.casefold() not in ("true", "false"):
            raise DataError(f"context {name}: '{text}' is neither true nor false")
        return text.casefold() == "true"
    try:
        return float(text)
    except ValueError:
        raise DataError(f"context {name}: '{text}' is not a number") from None
