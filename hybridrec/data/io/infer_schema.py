"""Guesses of the roles of files and columns, from their names and contents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.columns import FAR_FUTURE, parse_times
from hybridrec.data.io.files import FORMATS, FileSource, load
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError
from hybridrec.types import PADDING, Doubles

if TYPE_CHECKING:
    import polars as pl

WORDS: dict[str, tuple[str, ...]] = {
    "user": (
        "user",
        "playlist",
        "plylst",
        "session",
        "customer",
        "member",
        "listener",
        "visitor",
        "basket",
        "show",
        "uid",
        "pid",
    ),
    "item": (
        "item",
        "song",
        "track",
        "movie",
        "film",
        "product",
        "book",
        "video",
        "article",
        "game",
        "sku",
        "iid",
        "artist",
    ),
    "tag": ("tag", "genre", "category", "keyword", "label", "mood", "style"),
    "text": ("title", "name", "text", "description"),
    "time": ("time", "timestamp", "ts", "date", "datetime", "at", "day"),
    "year": ("year", "release", "released"),
    "weight": ("rating", "weight", "count", "play", "playcount", "score", "star", "listen", "quantity"),
    "position": ("position", "pos", "order", "rank", "index", "sequence"),
    "group": ("fold",),
}
"""Usual names of columns, in lower case and singular; earlier words win over later ones."""

ID_WORDS = ("id", "uri", "key", "number", "no", "code")
"""Words which show that a column holds ids, but not of what."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of unknown role: its options, its rows, and the columns whose names show a role."""

    options: dict[str, Any]
    frame: pl.DataFrame
    roles: dict[str, str]

    @property
    def name(self) -> str:
        return str(self.options["path"])

    def lists(self, role: str) -> bool:
        """Return True if each row holds a list of this role."""
        return role in self.roles and self.frame[self.roles[role]].dtype.is_nested()

    def share(self, column: str, ids: Vocabulary) -> float:
        """Return the share of a column's values that are among these ids."""
        return float(np.mean(ids.encode(self.frame[column]) != PADDING))


def guess(paths: Sequence[Path], folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Guess the options of reader `table` for these files; notes name uncertain guesses and unused files.

    Paths in the options are relative to `folder`. Raises DataError if no file has a user and an item in each row, or
    if one cannot be read.
    """
    files = [_look(path, folder) for path in paths]
    main, notes = _interactions_among(files)
    interactions, unread = _interactions(main)
    mapping = {"interactions": interactions, **_described_by(main)}
    notes += unread
    for file in files:
        if file.name != main.name:
            notes += _place(file, main, mapping)
    return mapping, notes


def roles_of(columns: Iterable[str]) -> dict[str, str]:
    """Map each role to the column whose name shows it most clearly; "id" is a column named nothing but id.

    >>> roles_of(["userID", "movie_id", "rated_at", "ratings"])
    {'user': 'userID', 'item': 'movie_id', 'time': 'rated_at', 'weight': 'ratings'}
    """
    candidates: dict[str, list[tuple[bool, int, str]]] = {}
    for column in columns:
        words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", column)]
        things = [word for word in words if word not in ID_WORDS]
        if words and not things:
            candidates.setdefault("id", []).append((False, 0, column))
        for role, terms in WORDS.items():
            # The last word counts: a track_name is a name, and a user_rating a rating.
            names = [name for name in things[-1:] + [name.removesuffix("s") for name in things[-1:]] if name in terms]
            if names:
                candidates.setdefault(role, []).append((len(things) == len(words), terms.index(names[0]), column))
    return {role: min(ranked)[-1] for role, ranked in candidates.items()}


def _look(path: Path, folder: Path) -> _File:
    options: dict[str, Any] = {"path": os.path.relpath(path, folder)}
    kind = FORMATS.get(path.suffix.lower())
    if path.is_file() and kind in (None, "csv", "tsv"):
        with path.open("rb") as lines:
            header = lines.readline().decode(errors="replace")
        separator = max(",\t;|", key=header.count)
        if kind is None:
            options["format"] = "tsv" if separator == "\t" else "csv"
        if separator in header and separator != ("\t" if kind == "tsv" or "format" in options else ","):
            options["separator"] = separator
    rows, _ = load(FileSource.model_validate(options, context={"folder": folder}), BadLines(strict=True, option=False))
    frame = rows.collect()
    file = _File(options, frame, roles_of(frame.columns))
    if file.lists("item") and "user" not in file.roles and "id" in file.roles:
        file.roles["user"] = file.roles["id"]  # a row is a whole playlist
    return file


def _interactions_among(files: list[_File]) -> tuple[_File, list[str]]:
    """Choose the file with a user and an item in each row; of several the one without tags, then the longest."""
    pairs = [file for file in files if {"user", "item"} <= file.roles.keys()]
    if pairs:
        return max(pairs, key=lambda file: ("tag" not in file.roles, len(file.frame))), []
    wide = [file for file in files if file.frame.width >= 2]
    if len(files) == len(wide) == 1:
        user, item = wide[0].frame.columns[:2]
        note = f"{wide[0].name}: no columns are called user and item; {user!r} and {item!r} are taken for them"
        return replace(wide[0], roles={**wide[0].roles, "user": user, "item": item}), [note]
    seen = "; ".join(f"{file.name} ({', '.join(file.frame.columns)})" for file in files)
    raise DataError(f"no file has a user and an item in each row, in columns like user_id and item_id. Found: {seen}")


def _interactions(file: _File) -> tuple[dict[str, Any], list[str]]:
    """Return the `interactions:` mapping, and notes about columns whose values do not match their names."""
    mapping = {**file.options, "user": file.roles["user"], "item": file.roles["item"]}
    notes = []
    for role in ("time", "weight", "position", "group"):
        if role not in file.roles:
            continue
        column = file.frame[file.roles[role]]
        values = _finite(role, column)
        if values is None or (role == "weight" and values.min(initial=0) < 0):
            notes.append(f"{file.name}: column {column.name!r} is not used, as not all of it is a {role}")
            continue
        mapping[role] = column.name
        if role == "time" and values.max(initial=0) > FAR_FUTURE:
            mapping["time_unit"] = "ms"
    return mapping, notes


def _finite(role: str, column: pl.Series) -> Doubles | None:
    """Return a column as times or numbers; None if one of its values is invalid."""
    import polars as pl

    if column.dtype.is_nested():
        return None
    values = parse_times(column) if role == "time" else column.cast(pl.Float64, strict=False)
    numbers = values.fill_null(np.nan).to_numpy()
    return numbers if np.isfinite(numbers).all() else None


def _described_by(main: _File) -> dict[str, Any]:
    """Return the mappings that the file of interactions provides: titles and tags of playlists, or item texts."""
    if main.lists("item"):
        users = _description(main, "user", main.roles["user"])
        return {"users": users} if {"title", "tags"} & users.keys() else {}
    if "text" in main.roles:
        return {"items": {**main.options, "id": main.roles["item"], "text": [main.roles["text"]]}}
    return {}


def _description(file: _File, owner: str, key: str) -> dict[str, Any]:
    """Return the `users:` or `items:` mapping of a file with one row each."""
    roles = file.roles
    mapping: dict[str, Any] = {**file.options, "id": key}
    if "tag" in roles:
        mapping["tags"] = [roles["tag"]]
        separator = None if file.lists("tag") else _tag_separator(file.frame[roles["tag"]])
        mapping |= {"value_separator": separator} if separator else {}
    if owner == "user":
        return mapping | ({"title": roles["text"]} if "text" in roles else {})
    texts = [roles[role] for role in ("text", "item") if role in roles and roles[role] != key]
    when = roles.get("year", roles.get("time"))
    if "year" in roles:
        mapping["features"] = [roles["year"]]
    return mapping | ({"text": texts} if texts else {}) | ({"time": when} if when else {})


def _tag_separator(tags: pl.Series) -> str | None:
    """Return the mark between tags of a cell, if it is not the reader's default and occurs in a tenth of the cells."""
    cells = tags.cast(str).drop_nulls()
    shares = {mark: cells.str.contains(mark, literal=True).mean() for mark in ("|", ";", ",")}
    common = [mark for mark, share in shares.items() if isinstance(share, float) and share >= 0.1]
    return common[0] if common and common[0] != "|" else None


def _place(file: _File, main: _File, mapping: dict[str, Any]) -> list[str]:
    """Enter a file other than the interactions into the mapping; return a note if it is not used."""
    roles = file.roles
    if {"user", "item"} <= roles.keys():
        if "tag" not in roles or file.lists("tag") or "assignments" in mapping:
            return [f"{file.name} is not used: interactions come from {main.name}"]
        columns = {"user": roles["user"], "item": roles["item"], "id": roles["tag"]}
        mapping["assignments"] = {"tags": {**file.options, **columns}}
        return []
    owner, key = _owner(file, main)
    if not key:
        return [f"{file.name} is not used: none of its columns holds the ids of {main.name}"]
    if file.frame[key].is_unique().all():
        place, key_of_file, entry = mapping, f"{owner}s", _description(file, owner, key)
    elif "tag" in roles:
        place, key_of_file = mapping.setdefault(f"{owner}_has", {}), "tags"
        entry = {**file.options, owner: key, "id": roles["tag"]}
    else:
        return [f"{file.name} is not used: column {key!r} repeats, and no column is called tag"]
    if len(entry) <= len(place.get(key_of_file, {})):
        return [f"{file.name} is not used: {place[key_of_file]['path']} describes more of the {owner}s"]
    place[key_of_file] = entry
    return []


def _owner(file: _File, main: _File) -> tuple[str, str]:
    """Return ("user" or "item", the column with their ids); both empty if no column has ids of the main file.

    If both fit, because both are numbers, the name of the file decides, then the better fit.
    """
    named = [owner for owner in ("user", "item") if owner in file.roles and "id" not in file.roles]
    ranked = [((False, 0.0), "", "")]
    for owner in named or ["user", "item"]:
        key = file.roles.get("id", file.roles.get(owner))
        ids = main.frame[main.roles[owner]]
        ids = ids.explode() if ids.dtype.is_nested() else ids
        share = file.share(key, Vocabulary(ids.drop_nulls())) if key else 0.0
        if key and share:
            ranked.append(((owner in roles_of([Path(file.name).stem]), share), owner, key))
    return max(ranked)[1:]
