"""Contrast of colours, as WCAG 2 has it."""

from __future__ import annotations

import re


def brightness(colour: str) -> float:
    """Relative luminance of `rgb(r, g, b)` (WCAG 2)."""
    parts = [int(channel) / 255 for channel in re.findall(r"\d+", colour)[:3]]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    dark, light = sorted((brightness(colour), brightness(other)))
    return (light + 0.05) / (dark + 0.05)
