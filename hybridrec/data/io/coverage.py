"""Warnings about side files that have hardly any effect, since few of their ids occur in the interactions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from hybridrec.data.builder import Tables
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError
from hybridrec.types import ITEMS, PADDING, USERS

FEW = 0.9
"""Share of the ids or rows that must match; it is told where fewer do."""
INTERACTIONS = ("interactions", "")


def coverage(tables: Tables, paths: Mapping[tuple[str, str], str], *, strict: bool) -> Iterator[str]:
    """Yield a sentence for each side table that has few ids in common with the interactions.

    `paths` maps (table, kind) to the name of a file: ("entities", "items"), ("item_has", "tags"), ("impressions", "").
    Side tables without an entry are passed over. With `strict`, raises DataError for a table that has no id in common.
    """
    main = paths[INTERACTIONS]
    acting = {role: Vocabulary(tables.interactions[role].unique()) for role in ("user", "item")}
    vocabularies = dict(acting)
    for role, kind in (("user", USERS), ("item", ITEMS)):
        frame = tables.entities.get(kind)
        if frame is None:
            continue
        described = Vocabulary(frame["id"].unique())
        matching = int((described.encode(acting[role].ids) != PADDING).sum())
        if not matching and len(described):
            yield _told(_no_match(paths["entities", kind], described, main, acting[role], role), strict=strict)
        elif matching < FEW * len(acting[role]):
            total = f"{len(acting[role]):,} {kind} of {main}"
            yield f"{paths['entities', kind]} describes {matching:,} of the {total}; of the others only the id is known"
        vocabularies[role] = Vocabulary(acting[role].ids.append(described.ids).unique())
    carried = {"user_has": tables.user_has, "item_has": tables.item_has, "assignments": tables.assignments}
    sides = {(name, kind): frame for name, frames in carried.items() for kind, frame in frames.items()}
    for place, frame in {**sides, ("impressions", ""): tables.impressions}.items():
        if frame is None or place not in paths or not len(frame):
            continue
        for role in (role for role in vocabularies if role in frame.columns):
            matches = vocabularies[role].encode(frame[role]) != PADDING
            if not matches.any():
                ids = Vocabulary(frame[role].unique())
                yield _told(_no_match(paths[place], ids, main, acting[role], role), strict=strict)
            elif matches.mean() < FEW:
                first = str(frame[role][int(np.argmin(matches))])
                count = f"{int((~matches).sum()):,} of {len(frame):,} rows"
                yield f"{paths[place]}: {count} are about unknown {role}s and are ignored, the first about {first!r}"


def _told(line: str, *, strict: bool) -> str:
    if strict:
        raise DataError(f"{line} (`strict: false` goes on without)")
    return line


def _no_match(path: str, ids: Vocabulary, main: str, acting: Vocabulary, role: str) -> str:
    """Return a sentence that says that no id of a table occurs in the interactions.

    For comparison it shows an id of the table and an id of the interactions.
    """
    return (
        f"{path}: none of its {len(ids):,} {role}s is in {main}; they are written like {ids.ids[0]!r} here and like "
        f"{acting.ids[0]!r} there: right is a column with the same ids"
    )
