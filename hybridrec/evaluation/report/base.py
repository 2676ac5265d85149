"""Base class of the sections of a report, which refuses unknown keys, and types of numbers that JSON can represent."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _number(value: Any) -> float | None:
    """Convert a number to a float, and NaN and infinities, which JSON cannot represent, to None."""
    try:
        return None if value is None or not math.isfinite(value) else float(value)
    except TypeError:  # a file of JSON from elsewhere; pydantic reports no errors of this class
        raise ValueError(f"{type(value).__name__} is not a number") from None


def _bounds(value: Any) -> tuple[float, float] | None:
    """Convert an interval to a pair of numbers, or to None if a bound is missing, NaN or infinite."""
    try:
        numbers = None if value is None else tuple(_number(end) for end in value)
    except TypeError:
        raise ValueError(f"{type(value).__name__} is not an interval") from None
    return None if numbers is None or None in numbers else numbers  # type: ignore[return-value]


Number: TypeAlias = Annotated[float | None, BeforeValidator(_number)]
Interval: TypeAlias = Annotated[tuple[float, float] | None, BeforeValidator(_bounds)]


class Section(BaseModel):
    """Base class of all sections of a report; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
