"""What all parts of a report have in common: no unknown keys, and numbers that JSON can hold."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _number(value: Any) -> float | None:
    """NaN and infinities do not exist in JSON."""
    return None if value is None or not math.isfinite(value) else float(value)


def _bounds(value: Any) -> tuple[float, float] | None:
    """An interval with a missing end is no interval."""
    numbers = None if value is None else tuple(_number(end) for end in value)
    return None if numbers is None or None in numbers else numbers  # type: ignore[return-value]


Number: TypeAlias = Annotated[float | None, BeforeValidator(_number)]
Interval: TypeAlias = Annotated[tuple[float, float] | None, BeforeValidator(_bounds)]


class Section(BaseModel):
    """Base of all parts of a report."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
