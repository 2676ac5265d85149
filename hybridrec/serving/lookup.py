"""Loosely typed names resolved to ids."""

from __future__ import annotations

from dataclasses import dataclass

from hybridrec.data.dataset import Dataset
from hybridrec.errors import DataError
from hybridrec.types import Target


@dataclass(frozen=True, slots=True)
class Match:
    """The item or tag that a loosely typed name was resolved to."""

    id: str
    name: str
    score: float
    """0 to 100: similarity of the name to the typed text."""


def find(text: str, data: Dataset, target: Target) -> Match:
    """Find the item or tag meant by `text`: by id, by name, else the nearest name; raises DataError if none is near."""
    from rapidfuzz import fuzz, process

    ids = data.items if target == "items" else data.tags
    names = data.item_names() if target == "items" else tuple(data.tags.packed)
    if text in ids:
        code = int(ids.encode([text])[0])
        return Match(text, names[code], 100.0)
    typed = text.casefold()
    exact = next((code for code, name in enumerate(names) if name.casefold() == typed), None)
    if exact is not None:
        return Match(ids.packed[exact], names[exact], 100.0)
    near = process.extract(typed, names, scorer=fuzz.WRatio, processor=str.casefold, score_cutoff=60, limit=1000)
    if not near:
        other = "--by tag" if target == "items" else "--by item"
        raise DataError(f"nothing among {len(names)} {target} is called like '{text}' (is it meant {other}?)")
    # One common word makes many names fit equally well, so the whole name decides between them.
    name, score, code = min(
        near, key=lambda found: (-found[1], -fuzz.token_sort_ratio(typed, found[0].casefold()), found[2])
    )
    return Match(ids.packed[code], name, score)
