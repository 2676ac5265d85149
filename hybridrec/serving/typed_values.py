"""Values typed on a command line: columns of the request, features of the user, and times, converted from texts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from hybridrec.data.features import Features, FeatureType, FeatureValue
from hybridrec.errors import DataError, did_you_mean


def read_columns(texts: Mapping[str, str], columns: Features | None, option: str) -> dict[str, FeatureValue]:
    """Convert typed texts to values of the types of their columns.

    texts: column name -> text
    columns: the columns of the data, with their types; None if the data has no such columns
    option: the command's option in which the texts were typed, for messages

    Raises DataError for a column that the data does not have, and for a text that does not suit the column's type.
    """
    types = {} if columns is None else columns.types
    for name in texts:
        if name not in types:
            raise DataError(f"{option}: unknown column '{name}': {did_you_mean(name, types)}")
    return {name: _read_value(text, types[name], f"{option} {name}") for name, text in texts.items()}


def _read_value(text: str, kind: FeatureType, place: str) -> FeatureValue:
    if kind == "category":
        return text
    if kind == "time":
        return read_time(text, place)
    if kind == "flag":
        if text.casefold() not in ("true", "false"):
            raise DataError(f"{place}: '{text}' is neither true nor false")
        return text.casefold() == "true"
    if (number := _number(text)) is None:
        raise DataError(f"{place}: '{text}' is not a number")
    return number


def read_time(text: str, place: str) -> float:
    """Convert a text to seconds since 1970: a number, or a date or time in ISO 8601, in UTC if it has no zone.

    Raises DataError, whose message begins with `place`, for any other text.
    """
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        right = "2024-12-31, 2024-12-31T20:00 or seconds since 1970"
        raise DataError(f"{place}: '{text}' is not a time; write {right}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float | None:
    """Convert a text to a number; return None if it is not a finite number."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
