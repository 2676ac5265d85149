"""Texts for the cells of printed tables."""

from __future__ import annotations


def interval(bounds: tuple[float, float] | None, form: str = "+.4f") -> str:
    """Return the bounds as text, such as "+0.0041 ... +0.0199"; an empty text for None."""
    return "" if bounds is None else f"{bounds[0]:{form}} ... {bounds[1]:{form}}"
