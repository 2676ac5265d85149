"""Base of all sections of a report: no unknown keys, and numbers that JSON can represent."""

from __future__ import annotations

import math
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _number(value: Any) -> float | None:
    """Convert NaN and infinities, which JSON cannot represent, to None."""
    return None if value is None or not math.isfinite(value) else float(value)


def _bounds(value: Any) -> tuple[float, float] | None:
    """Convert an interval with a missing bound to None."""
    numbers = None if value is None else tuple(_number(end) for end in value)
    return None if numbers is None or None in numbers else numbers  # type: ignore[return-value]


Number: TypeAlias = Annotated[float | None, BeforeValidator(_number)]
Interval: TypeAlias = Annotated[tuple[float, float] | None, BeforeValidator(_bounds)]


class Section(BaseModel):
    """Base of all sections of a report."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
