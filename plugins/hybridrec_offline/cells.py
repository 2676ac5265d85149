"""Cells of printed tables."""

from __future__ import annotations


def interval(bounds: tuple[float, float] | None, form: str = "+.4f") -> str:
    """Return both bounds, formatted, or nothing."""
    return "" if bounds is None else f"{bounds[0]:{form}} ... {bounds[1]:{form}}"
