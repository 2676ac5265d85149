"""Side files: descriptions of users and items, and tags, in files beside the interactions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hybridrec.data.io.column_profile import ColumnProfile, words_of
from hybridrec.data.io.inspected_file import InspectedFile
from hybridrec.data.io.roles import ID_WORDS, LISTS, WEAK, Candidate, best_named, name_score, ranked
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import PADDING

CATEGORIES = 200
"""The largest number of distinct values with which a column of no other role is a category."""
ITEM_SIGNS = (
    "title",
    "name",
    "description",
    "genre",
    "category",
    "price",
    "author",
    "artist",
    "album",
    "year",
    "release",
)
USER_SIGNS = ("gender", "age", "sex", "birth", "occupation", "marital", "income", "email", "zip", "member")


def subject_of(file: InspectedFile, key: str) -> str:
    """Return the kind of things that the rows of a file describe, "user" or "item"; "" if it is unclear.

    The names of the file, of the column `key` and of the other columns decide.
    """
    named = {
        role: max(name_score(Path(file.name).stem, role)[0], name_score(key, role)[0]) for role in ("user", "item")
    }
    if max(named.values()) > 0 and named["user"] != named["item"]:
        return max(named, key=lambda role: named[role])
    words = {word for name in file.profiles for word in words_of(name)}
    signs = {"item": len(words & {*ITEM_SIGNS}), "user": len(words & {*USER_SIGNS})}
    return "" if signs["item"] == signs["user"] else max(signs, key=lambda role: signs[role])


def described_by_interactions(main: InspectedFile, user: Candidate, item: Candidate, taken: set[Any]) -> dict[str, Any]:
    """Return the `users:` or `items:` mapping that the file of interactions provides, {} if it provides none.

    The mapping has the titles and tags of lists, or the texts of items. `taken` are the columns that have a role
    already.
    """
    if main.profiles[item.column].type == "list":
        users = _description(main, "user", user.column, lists=True)
        return {"users": users} if {"title", "tags"} & users.keys() else {}
    rest = {name: column for name, column in main.profiles.items() if name not in taken}
    things = {*words_of(item.column)} - {*ID_WORDS}
    own = {name: column for name, column in rest.items() if things & {*words_of(name)}}  # beer_name beside brewery_name
    text = best_named(own, "text", ("text",)) or best_named(rest, "text", ("text",))
    if text is not None and main.determines(item.column, text) > 0.5:
        return {"items": {**main.options, "id": item.column, "text": [text]}}
    return {}


def _description(file: InspectedFile, owner: str, key: str, *, lists: bool) -> dict[str, Any]:
    """Return the `users:` or `items:` mapping of a file with a row for each `owner`; `key` is its column of ids.

    With `lists`, the users are lists, and a column of texts holds their titles.
    """
    mapping: dict[str, Any] = {**file.options, "id": key}
    rest = {name: column for name, column in file.profiles.items() if name != key}
    tag = best_named(rest, "tag", ("text", "list"))
    if tag is not None and owner == "user" and not lists and rest[tag].type == "text" and rest[tag].separator is None:
        tag = None  # one value for each person, such as the category of a household, is a feature
    text = best_named(rest, "text", ("text",))
    if "columns" in file.options:  # no names: values alone tell
        plain = {name: column for name, column in rest.items() if column.type == "text"}
        tag = next((name for name, column in plain.items() if column.separator is not None), None)
        titles = (name for name, column in plain.items() if column.separator is None and column.repeats < 1.5)
        text = next(titles, None)
    if tag is not None:
        mapping["tags"] = [tag]
        separator = rest[tag].separator
        mapping |= {"value_separator": separator} if separator not in (None, "|") else {}
    if owner == "user":
        mapping |= {"title": text} if text is not None and (lists or "title" in words_of(text)) else {}
        features = _categories(rest, {text, tag})
        return mapping | ({"features": features} if features and not lists else {})
    name_of_item = best_named(rest, "item", ("text",), 2.5)
    texts = [name for name in dict.fromkeys((text, name_of_item)) if name is not None and name != tag]
    year = best_named(rest, "year", ("year", "time"))
    when = year or best_named(rest, "time", ("time",))
    features = ([year] if year is not None else []) + _categories(rest, {year, tag, *texts})
    mapping |= ({"features": features} if features else {}) | ({"text": texts} if texts else {})
    if when is not None:
        mapping["time"] = when
        form = rest[when].time
        if form is not None and form.unit not in (None, "s"):
            mapping["time_unit"] = form.unit
        elif form is not None and form.form is not None:
            mapping["time_format"] = form.form
    return mapping


def _categories(columns: Mapping[str, ColumnProfile], taken: set[str | None]) -> list[str]:
    """Return the columns that are not in `taken` and hold categories: flags, or short texts of which few differ."""
    return [
        name
        for name, column in columns.items()
        if name not in taken
        and column.type in ("text", "flag")
        and 1 < column.distinct <= CATEGORIES
        and column.repeats >= 3
        and column.stated >= 0.5 * column.rows
        and column.length <= 40
    ]


def place_file(
    file: InspectedFile, main: InspectedFile, user: Candidate, item: Candidate, mapping: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Add a file other than the interactions to `mapping`; return sentences with the evidence, and notes.

    The notes say which columns are not used, or why the whole file is not.
    """
    users, items = (ranked(file.profiles, role) for role in ("user", "item"))
    tag = best_named(file.profiles, "tag", ("text", "list"))
    pair = [c.column for c in (*users[:1], *items[:1]) if c.score >= WEAK]
    ids = {"user": main.keys(user.column), "item": main.keys(item.column)}
    if len(set(pair)) == 2 and not file.profiles[pair[0]].is_unique and not file.profiles[pair[1]].is_unique:
        matches = file.share(pair[0], ids["user"]) >= 0.1 and file.share(pair[1], ids["item"]) >= 0.1
        if tag is None or file.profiles[tag].type == "list" or "assignments" in mapping or not matches:
            return [], [f"{file.name} is not used: interactions come from {main.name}"]
        mapping["assignments"] = {"tags": {**file.options, "user": pair[0], "item": pair[1], "id": tag}}
        return [f"{file.name} holds tags that users gave to items"], []
    owner, key, share = _owner(file, ids, {"user": user.column, "item": item.column})
    if not key:
        return [], [f"{file.name} is not used: none of its columns holds the ids of {main.name}"]
    why = f"{file.name} describes {owner}s: {share:.0%} of the {owner}s of {main.name} are in its column {key!r}"
    if file.profiles[key].is_unique or file.frame[key].is_unique().mean() > 0.98:  # type: ignore[operator]
        place, title, entry = (
            mapping,
            f"{owner}s",
            _description(file, owner, key, lists=name_score(user.column, "user")[1] in LISTS),
        )
    elif tag is not None:
        place, title = mapping.setdefault(f"{owner}_has", {}), "tags"
        entry = {**file.options, owner: key, "id": tag}
    else:
        return [], [f"{file.name} is not used: column {key!r} repeats, and no column is called tag"]
    if len(entry) == len(file.options) + 1:
        return [], [f"{file.name} is not used: it names {owner}s, and nothing in it describes them"]
    if len(entry) <= len(place.get(title, {})):
        other = place[title]["path"]
        other = other if file.shares_name else Path(other).name
        return [], [f"{file.name} is not used: {other} describes more of the {owner}s"]
    place[title] = entry
    named = texts_in({k: v for k, v in entry.items() if k not in file.options})
    left = [n for n in file.profiles if n not in named]
    return [why], [f"{file.name}: not used are the columns {', '.join(left)}"] if left else []


def _owner(file: InspectedFile, ids: Mapping[str, Vocabulary], columns: Mapping[str, str]) -> tuple[str, str, float]:
    """Return (owner, column, share) of a file that describes users or items.

    The owner is "user" or "item", the column holds their ids, and the share is the share of `ids` of this owner that
    occur in the column. Both texts are empty if no column has the ids. If columns of numbers have equal shares, their
    names and the subject of the file decide.
    """
    best: tuple[tuple[float, float], str, str, float] = ((0.0, 0.0), "", "", 0.0)
    for owner, vocabulary in ids.items():
        for name, column in file.profiles.items():
            if column.type in ("list", "nested", "empty", "flag", "clock"):
                continue
            keys = file.keys(name)
            share = float(np.mean(keys.encode(vocabulary.ids) != PADDING)) if len(vocabulary) else 0.0
            if share < 0.05:
                continue
            subject = subject_of(file, name)
            named = (
                name_score(name, owner)[0] / 4 + (name.lower() == columns[owner].lower()) + (name.lower() == "id") * 0.5
            )
            # Columns of numbers from 1 on match whatever they number, so names decide among them.
            score = share + named + (0.5 if subject == owner else -0.5 if subject else 0.0)
            if (score, share) > best[0]:
                best = ((score, share), owner, name, share)
    return best[1:]


def texts_in(value: Any) -> list[str]:
    """Return all texts in nested lists and mappings, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key, inner in value.items() for text in (key, *texts_in(inner))]
    return [text for inner in value for text in texts_in(inner)] if isinstance(value, list | tuple) else []
