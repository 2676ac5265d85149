"""Inference of a schema: the roles of files and columns, by evidence from names, values and matching keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.column_profile import ColumnProfile, describe_types, profile_column, words_of
from hybridrec.data.io.columns import number_of
from hybridrec.data.io.dialect import dialect_of
from hybridrec.data.io.files import FileSource, format_of, load
from hybridrec.data.io.part_files import part_files
from hybridrec.data.io.roles import (
    ALL_WORDS,
    BASKETS,
    CLOSE,
    ID_WORDS,
    LISTS,
    WEAK,
    Candidate,
    best_named,
    name_score,
    ranked,
)
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError, did_you_mean
from hybridrec.types import PADDING

if TYPE_CHECKING:
    import polars as pl

DOUBT = "no column is called so: the first of two columns of ids is taken for users, the second for items"
MATCHES = 0.5
"""The share of a column's values that must be keys of another file for the column to refer to that file."""
USABLE = 0.9
"""The share of a column's values that must be weights for it to be the weight; rows with other values are left out."""
PARTS_OF_TIME = frozenset(("year", "month", "day", "hour", "minute", "second"))
"""Words in names of columns that hold a part of a time, such as the month."""
LARGEST_PART = 60
"""The largest number that a part of a time other than the year can have."""
LONG_TAIL = 20
"""Counts whose largest is more than this many times their median are replaced by their logarithms."""
TRIPLET = ("user", "item", "count")
"""Names for the columns of files of triplets, which have no header line: the Million Song Dataset, for example."""
CATEGORIES = 200
"""The largest number of distinct values with which a column of no other role is a category."""


@dataclass(frozen=True, slots=True)
class SchemaHints:
    """Choices that a person makes for the inference; None leaves a choice to the evidence in the files.

    user, item, time, weight: names of columns of the interactions
    interactions: path of the file of interactions
    header: True if the first line of a file holds names, False if it does not
    day_first: True if the day comes before the month in dates, False if the month does
    choose: a function that is called with a question and its possible answers if the evidence does not suffice; it
        returns one of them, or None
    """

    user: str | None = None
    item: str | None = None
    time: str | None = None
    weight: str | None = None
    interactions: Path | None = None
    header: bool | None = None
    day_first: bool | None = None
    choose: Callable[[str, Sequence[str]], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """The inferred roles of files and columns.

    mapping: the options of the reader `table`
    users: the kind of users, "people", "lists" or "baskets"
    notes: sentences about unused files and columns, and about doubtful choices
    reasons: sentences with the evidence for each choice
    """

    mapping: dict[str, Any]
    users: str
    notes: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """A file of unknown role: its options, its rows, and the profiles of its columns."""

    path: Path
    options: dict[str, Any]
    frame: pl.DataFrame
    profiles: dict[str, ColumnProfile]
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the file, for messages."""
        return self.path.name

    def keys(self, column: str) -> Vocabulary:
        """Return the distinct values of a column, or the distinct entries of its lists."""
        return Vocabulary(_as_ids(self.frame[column]))

    def share(self, column: str, ids: Vocabulary) -> float:
        """Return the share of a column's distinct values that are among these ids."""
        values = _as_ids(self.frame[column]).unique()
        return float(np.mean(ids.encode(values) != PADDING)) if len(values) else 0.0

    def determines(self, column: str, other: str) -> float:
        """Return the share of the rows whose value in `column` has the same value in `other` in all its rows."""
        import polars as pl

        pairs = self.frame.select(column, other).drop_nulls()
        same = pairs.group_by(column).agg(pl.col(other).n_unique().alias("values"), pl.len().alias("rows"))
        return float(same.filter(pl.col("values") == 1)["rows"].sum() / max(1, len(pairs)))


def infer_schema(paths: Sequence[Path], folder: Path, hints: SchemaHints | None = None) -> Schema:
    """Infer the options of reader `table` for these files.

    Paths in the options are relative to `folder`. Raises DataError if no file has a user and an item in each row, if
    the evidence does not decide between two columns, or if a file cannot be read.
    """
    hints = hints or SchemaHints()
    files = [_look(path, folder, hints) for path in paths]
    main, user, item, reasons = _interactions_among(files, hints)
    interactions, more, unused = _interactions(main, user, item, hints)
    mapping: dict[str, Any] = {"interactions": interactions}
    reasons += more
    if interactions.get("weight") and _is_long_tailed(main, interactions["weight"]):
        mapping["weight"] = {"transform": "log"}
        reasons.append(f"counts in {interactions['weight']!r} have a long tail: their logarithm is taken")
    notes = [f"{file.name}: {note}" for file in files for note in file.notes]
    if DOUBT in user.reasons:
        notes.append(f"{main.name}: {DOUBT}; --user and --item say otherwise")
    described = _described_by(main, user, item, set(_texts(interactions)))
    mapping |= described
    for file in files:
        if file is not main:
            reasons_of_file, notes_of_file = _place(file, main, user, item, mapping)
            reasons += reasons_of_file
            notes += notes_of_file
    _state_missing(mapping, {file.options["path"]: file for file in files})
    used = set(_texts(described))
    notes += [f"{main.name}: {note}" for name, note in unused.items() if name not in used]
    return Schema(mapping, _kind_of_users(user.column, main, mapping), tuple(notes), tuple(reasons))


def _state_missing(mapping: dict[str, Any], files: Mapping[str, _File]) -> None:
    """Add the option `missing` to each file in `mapping`: the texts for missing values in the columns that are used.

    `files` has the files by their paths in the mapping.
    """
    for entry in mapping.values():
        if not isinstance(entry, dict):
            continue
        if "path" not in entry:
            _state_missing(entry, files)
            continue
        profiles = files[entry["path"]].profiles
        used = {text for key, value in entry.items() if key != "columns" for text in _texts(value)} & profiles.keys()
        if missing := sorted({text for name in used for text in profiles[name].missing}):
            entry["missing"] = missing


def _is_long_tailed(file: _File, counts: str) -> bool:
    """Return True if a column holds counts whose largest is far above their median."""
    numbers = file.profiles[counts].numbers
    if numbers is None or not numbers[2] or numbers[1] <= LONG_TAIL:
        return False
    median = file.frame.select(_number(file, counts).median()).item() or 1.0
    return bool(numbers[1] > LONG_TAIL * max(1.0, median))


def _number(file: _File, column: str) -> pl.Expr:
    """Express a column as numbers, read with the marks in its profile; null where a value is not a number."""
    profile = file.profiles[column]
    return number_of(column, file.frame.schema[column], profile.decimal, profile.thousands)


def _texts(value: Any) -> list[str]:
    """Return all texts in nested lists and mappings, keys included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key, inner in value.items() for text in (key, *_texts(inner))]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list | tuple) else []


def _look(path: Path, folder: Path, hints: SchemaHints) -> _File:
    """Read a file, without its malformed lines, and profile its columns."""
    options: dict[str, Any] = {"path": os.path.relpath(path, folder)}
    parts = part_files(path)
    kind = format_of(path) if parts[0].path == path else FileSource(path=path).kind
    reasons: tuple[str, ...] = ()
    if len(parts) > 1:
        reasons = (f"its {len(parts):,} files are read as the parts of one table",)
    if parts[0].path.is_file() and kind in (None, "csv", "tsv"):
        default = "\t" if kind == "tsv" else ","
        dialect = dialect_of(parts[0].path, default, header=hints.header, words=ALL_WORDS)
        stated = dict(dialect.options)
        if kind is None:
            tabs = stated.get("separator") == "\t"
            options["format"] = "tsv" if tabs else "csv"
            stated = {key: value for key, value in stated.items() if not (tabs and key == "separator")}
        options |= stated
        reasons += dialect.reasons
    frame, problems = _rows_of(path, options, folder)
    reasons += problems
    profiles = {name: profile_column(frame[name]) for name in frame.columns}
    if missing := sorted({text for column in profiles.values() for text in column.missing}):
        frame, _ = _rows_of(path, {**options, "missing": missing}, folder)
    if hints.user is None and hints.item is None and _are_triplets(frame, profiles):
        options["columns"] = list(TRIPLET)
        frame = frame.rename(dict(zip(frame.columns, TRIPLET, strict=True)))
        profiles = {name: profile_column(frame[name]) for name in TRIPLET}
        reasons += ("three columns without names, of ids, ids and counts, are taken for user, item and count",)
    return _File(path, options, frame, profiles, reasons)


def _are_triplets(frame: pl.DataFrame, profiles: Mapping[str, ColumnProfile]) -> bool:
    """Return True for three columns without names: two of ids, and one with a count for each pair of them."""
    if frame.columns != ["column1", "column2", "column3"]:
        return False
    first, second, third = profiles.values()
    if not (first.may_be_id and second.may_be_id) or first.is_unique or second.is_unique:
        return False
    counts = third.numbers is not None and third.numbers[2] and third.numbers[0] >= 1
    return counts and len(frame.select("column1", "column2").unique()) > 0.95 * len(frame)


def _rows_of(path: Path, options: dict[str, Any], folder: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the rows of a file that can be read, and notes on the others.

    If a quote is not closed, the option `quote` is set to None in `options`, so that quotes are characters like others.
    """
    try:
        return _loaded(options, folder, BadLines(strict=True, option=False)), ()
    except DataError as error:
        if "a quote" in str(error) and "quote" not in options:
            options["quote"] = None
            rows, problems = _rows_of(path, options, folder)
            return rows, ("quotes in it are not closed, so that they have no meaning", *problems)
    bad_lines = BadLines(strict=False)
    rows = _loaded(options, folder, bad_lines)  # a file that cannot be read at all says so here
    return rows, tuple(note.removeprefix(f"{path}: ") for note in bad_lines.notes())


def _loaded(options: Mapping[str, Any], folder: Path, bad_lines: BadLines) -> pl.DataFrame:
    return load(FileSource.model_validate(options, context={"folder": folder}), bad_lines)[0].collect()


def _as_ids(values: pl.Series) -> pl.Series:
    """Return the values of a column, or the entries of its lists, as the texts that the reader makes of ids."""
    import polars as pl

    values = values.explode() if values.dtype.is_nested() else values
    if values.dtype.is_float():
        values = values.fill_nan(None)
        if bool((values == values.round()).fill_null(True).all()):
            values = values.cast(pl.Int64, strict=False)
    texts = values.cast(pl.String, strict=False).drop_nulls()
    texts = texts.filter(texts != "")
    return texts.str.strip_suffix(".0") if bool(texts.str.contains(r"^\d+\.0$").all()) else texts


def _interactions_among(files: list[_File], hints: SchemaHints) -> tuple[_File, Candidate, Candidate, list[str]]:
    """Return the file of interactions, its columns of users and of items, and sentences with the evidence for them."""
    if hints.interactions is not None:
        files_of_interactions = [file for file in files if file.path == hints.interactions]
        if not files_of_interactions:
            names = [str(file.path) for file in files]
            near = did_you_mean(str(hints.interactions), names)
            raise DataError(f"{hints.interactions} is not among the files; {near}")
    else:
        files_of_interactions = files
    readings = []
    for file in files_of_interactions:
        pairs = _pairs(file, [other for other in files if other is not file], hints)
        readings += [(file, *pair) for pair in pairs]
    if not readings:
        seen = "; ".join(f"{file.name}: {describe_types(file.profiles.values())}" for file in files)
        raise DataError(
            f"no file has a user and an item in each row. Seen: {seen}. Say which columns they are: --user COLUMN "
            "--item COLUMN"
        )

    best = {}
    for file in {id(file): file for file, *_ in readings}.values():
        best[file.name] = max((r for r in readings if r[0] is file), key=lambda r: r[1].score + r[2].score)
    # Of files whose evidence is about equal, the longest one is taken, since interactions outnumber descriptions.
    clearest = max(_clearness(*reading) for reading in best.values())
    alike = [reading for reading in best.values() if _clearness(*reading) > clearest - 1.0]
    file, user, item = max(alike, key=lambda reading: (len(reading[0].frame), _clearness(*reading)))
    own = [reading for reading in readings if reading[0] is file]
    item = _settle("item", item, [i for _, u, i in own if u.column == user.column], file, hints)
    user = _settle("user", user, [u for _, u, i in own if i.column == item.column], file, hints)
    reasons = [f"interactions are the rows of {file.name}" + (f" ({len(file.frame):,} rows)" if len(files) > 1 else "")]
    for role, chosen, others in (
        ("user", user, [u for f, u, i in readings if f is file and i.column == item.column]),
        ("item", item, [i for f, u, i in readings if f is file and u.column == user.column]),
    ):
        rest = [candidate for candidate in others if candidate.column != chosen.column]
        second = max(rest, key=lambda candidate: candidate.score, default=None)
        text = f"{role} is {chosen.column!r}: {', '.join(chosen.reasons) or 'what is left'}"
        reasons.append(text + (f"; next came {second.column!r}" if second is not None else ""))
    return file, user, item, reasons


def _clearness(file: _File, user: Candidate, item: Candidate) -> float:
    """Return the weight of the evidence that a file holds interactions.

    It is less if no item repeats, and if the rows are about tags.
    """
    lists = file.profiles[item.column].type == "list"
    tags = not lists and best_named(file.profiles, "tag", ("text",)) is not None
    return user.score + item.score - 2.0 * tags - 3.0 * (file.profiles[item.column].is_unique and not lists)


def _settle(
    role: str, chosen: Candidate, candidates: Sequence[Candidate], file: _File, hints: SchemaHints
) -> Candidate:
    """Return the candidate for a role; if another one has about as much evidence, the one that the user chooses.

    Raises DataError if the user cannot be asked or does not choose.
    """
    close = {c.column: c for c in candidates if chosen.score - c.score < CLOSE}
    close = {
        name: c for name, c in close.items() if name == chosen.column or not _same_things(file, name, chosen.column)
    }
    if len(close) < 2 or chosen.score >= 3.0:
        return chosen
    names = sorted(close)
    if hints.choose is not None and (answer := hints.choose(f"Which column of {file.name} is the {role}?", names)):
        return close[answer]
    shown = describe_types(file.profiles[name] for name in names)
    raise DataError(
        f"{file.name}: the evidence does not show which column is the {role}. It may be {shown}. Say which: --{role} "
        "COLUMN"
    )


def _same_things(file: _File, column: str, other: str) -> bool:
    """Return True if the values of two columns correspond one to one, such as codes and descriptions."""
    return file.determines(column, other) > 0.9 and file.determines(other, column) > 0.9


def _pairs(file: _File, others: Sequence[_File], hints: SchemaHints) -> list[tuple[Candidate, Candidate]]:
    """Return the pairs of columns of a file that may hold the users and the items of interactions."""
    for role in ("user", "item", "time", "weight"):
        named = getattr(hints, role)
        if named is not None and named not in file.profiles:
            if hints.interactions is not None or not others:
                raise DataError(f"{file.name} has no column {named!r}; {did_you_mean(named, file.profiles)}")
            return []
    evidence = {role: _evidence_for(file, others, role) for role in ("user", "item")}
    users, items = (ranked(file.profiles, role, evidence[role]) for role in ("user", "item"))
    if hints.user is not None:
        users = [Candidate(hints.user, 9.0, ("as you said",))]
    if hints.item is not None:
        items = [Candidate(hints.item, 9.0, ("as you said",))]
    lists = {name for name, column in file.profiles.items() if column.type == "list"}
    if not hints.user and any(item.column in lists for item in items) and not any(u.score > WEAK for u in users):
        key = next((name for name in file.profiles if not [w for w in words_of(name) if w not in ID_WORDS]), None)
        if key is not None:
            users = [Candidate(key, 4.0, ("each row is a list",))]
    pairs = [
        (user, item)
        for user in users
        for item in items
        if user.column != item.column and user.column not in lists and user.score >= WEAK and item.score >= WEAK
    ]
    keys = {c.column for c in (*users, *items) if c.score > -1.0}
    if len(file.profiles) == 2 and all(column.type in ("text", "number") for column in file.profiles.values()):
        keys = {*file.profiles}
    if not pairs and not others and len(keys) == 2 and hints.user is None and hints.item is None:
        first, second = (name for name in file.profiles if name in keys)
        reason = (DOUBT,)
        return [(Candidate(first, 1.0, reason), Candidate(second, 1.0, reason))]
    if not pairs:
        # If one of the two roles is clear, the only other column of ids has the other role.
        for clear, rest, flip in ((users, items, False), (items, users, True)):
            strong = [c for c in clear if c.score >= WEAK]
            left = [c for c in rest if strong and c.column != strong[0].column and c.score > -1.0]
            if strong and len(left) == 1:
                only = replace(left[0], score=WEAK, reasons=(*left[0].reasons, "the only other column of ids"))
                return [(only, strong[0]) if flip else (strong[0], only)]
    return [(user, item) for user, item in pairs if not _one_to_one(file, user.column, item.column)]


def _one_to_one(file: _File, user: str, item: str) -> bool:
    """Return True if nearly each user has one item and each item one user, as columns of a catalogue have."""
    if file.profiles[item].type == "list":
        return False
    return len(file.frame) > 2 and file.determines(user, item) > 0.95 and file.determines(item, user) > 0.95


def _evidence_for(file: _File, others: Sequence[_File], role: str) -> dict[str, tuple[float, str]]:
    """Return evidence from other files that columns of a file have a role: column -> (weight, reason).

    The evidence is that the values of a column are keys of another file, which describes things of this role.
    """
    evidence: dict[str, tuple[float, str]] = {}
    for other in others:
        for key, column in other.profiles.items():
            if not column.is_unique or column.type in ("list", "empty"):
                continue
            kind = _subject(other, key)
            for name, own in file.profiles.items():
                if own.type in ("list", "empty", "flag") or own.is_unique or own.type != column.type:
                    continue
                share = file.share(name, other.keys(key))
                if share < MATCHES or (own.type == "number" and own.distinct < 20):
                    continue
                points = 1.5 * share if kind == role else (0.3 * share if not kind else -0.5 * share)
                if points > evidence.get(name, (0.0, ""))[0]:
                    evidence[name] = (points, f"{share:.0%} of its values are in column {key!r} of {other.name}")
    return evidence


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


def _subject(file: _File, key: str) -> str:
    """Return "user" or "item", by the name and the columns of a file whose rows describe them; "" if it is unclear."""
    named = {
        role: max(name_score(Path(file.name).stem, role)[0], name_score(key, role)[0]) for role in ("user", "item")
    }
    if max(named.values()) > 0 and named["user"] != named["item"]:
        return max(named, key=lambda role: named[role])
    words = {word for name in file.profiles for word in words_of(name)}
    signs = {"item": len(words & {*ITEM_SIGNS}), "user": len(words & {*USER_SIGNS})}
    return "" if signs["item"] == signs["user"] else max(signs, key=lambda role: signs[role])


def _interactions(
    file: _File, user: Candidate, item: Candidate, hints: SchemaHints
) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    """Return the `interactions:` mapping, sentences with the evidence, and unused columns: name -> sentence why."""
    mapping: dict[str, Any] = {**file.options, "user": user.column, "item": item.column}
    reasons: list[str] = []
    profiles = {name: column for name, column in file.profiles.items() if name not in (user.column, item.column)}
    unused: dict[str, str] = {}
    times = [name for name, column in profiles.items() if column.type == "time"]
    time = hints.time or best_named(profiles, "time", ("time",)) or (times[0] if len(times) == 1 else None)
    counted = {name: column for name, column in profiles.items() if not _is_part_of_time(column, profiles)}
    time = time or best_named(counted, "time", ("number", "year"), 2.5)  # days counted from somewhere, say
    if time is not None:
        mapping["time"] = time
        why = _enter_time(mapping, file.profiles[time], file, hints)
        reasons.append(f"time is {time!r}" + (f": {why}" if why else ""))
    weight = hints.weight or best_named(profiles, "weight", ("number", "year"))
    if weight is None and "columns" in file.options:
        scale = [n for n, c in profiles.items() if c.type == "number" and c.numbers and c.numbers[0] >= 0 and n != time]
        weight = scale[0] if len(scale) == 1 else None
    if weight is not None:
        numbers, usable = file.profiles[weight].numbers, _share_of_weights(file, weight)
        if numbers is None or usable < USABLE:
            unused[weight] = f"column {weight!r} is not used: only {usable:.0%} of its values can be weights"
        else:
            mapping["weight"] = weight
            mapping |= _marks_of(file.profiles[weight])
            below = "; rows of 0 or less are left out" if numbers[0] <= 0 else ""
            reasons.append(f"weight is {weight!r}: from {numbers[0]:g} to {numbers[1]:g}{below}")
    for role in ("position", "group"):
        name = best_named(profiles, role, ("number",))
        if name is not None and name not in mapping.values() and _is_whole(file.profiles[name]):
            mapping[role] = name
            reasons.append(f"{role} is {name!r}: called so")
    for name, column in profiles.items():
        if name not in mapping.values() and name not in unused:
            unused[name] = _why_unused(name, column, file, user.column)
            if _is_part_of_time(column, profiles):
                unused[name] = f"column {name!r} is not used: it is a part of a time; one column must hold all of it"
    return mapping, reasons, unused


def _is_part_of_time(column: ColumnProfile, profiles: Mapping[str, ColumnProfile]) -> bool:
    """Return True for a column of small numbers that is called a part of a time (day), beside one of another part."""
    parts = {name for name in profiles if PARTS_OF_TIME & {*words_of(name)}}
    small = column.type == "year" or (column.numbers is not None and column.numbers[1] <= LARGEST_PART)
    return small and column.name in parts and len(parts) > 1


def _share_of_weights(file: _File, column: str) -> float:
    """Return the share of a column's values that are numbers of 0 or more."""
    share = file.frame.select((_number(file, column) >= 0).fill_null(False).mean()).item()
    return float(share or 0.0)


def _is_whole(column: ColumnProfile) -> bool:
    return column.numbers is not None and column.numbers[2] and column.stated == column.rows


def _enter_time(mapping: dict[str, Any], column: ColumnProfile, file: _File, hints: SchemaHints) -> str:
    """Add the unit or the form of a column of times to `mapping`, and return a description of it.

    Raises DataError if day and month cannot be told apart.
    """
    form = column.time
    if form is None:
        return "as you said" if hints.time else "its numbers give an order"
    if form.unit is not None:
        if form.unit != "s":
            mapping["time_unit"] = form.unit
        return f"numbers in {form.unit} since 1970"
    if form.form is None:
        return ""
    text = form.form
    if form.ambiguous is not None:
        chosen = _day_or_month(form.form, form.ambiguous, column.name, file, hints)
        if chosen is None:
            raise DataError(
                f"{file.name}: in column {column.name!r} day and month cannot be told apart: say --day-first or "
                "--month-first"
            )
        text = chosen
    mapping["time_format"] = text
    return f"of the form {text}"


def _day_or_month(day: str, month: str, column: str, file: _File, hints: SchemaHints) -> str | None:
    if hints.day_first is not None:
        return day if hints.day_first else month
    if hints.choose is None:
        return None
    shown = file.frame[column].drop_nulls().head(1).to_list()
    answer = hints.choose(f"{file.name}: is {shown[0]!r} day first or month first?", ("day", "month"))
    return {"day": day, "month": month}.get(answer or "")


def _marks_of(column: ColumnProfile) -> dict[str, Any]:
    marks = {} if column.decimal == "." else {"decimal": column.decimal}
    return marks | ({} if column.thousands is None else {"thousands": column.thousands})


def _why_unused(name: str, column: ColumnProfile, file: _File, user: str) -> str:
    """Return a sentence on why a column of the interactions is not used."""
    start = f"column {name!r} is not used: "
    if column.type == "empty":
        return start + "it is empty"
    if column.type == "clock":
        return start + "it is a time of day without a date"
    if column.distinct == 1:
        return start + "all its values are the same"
    if column.type == "time":
        return start + "another column is the time"
    basket = name_score(name, "user")[1]
    if basket in BASKETS and file.determines(name, user) > 0.98:
        return start + f"each of its values belongs to one {user!r}, which comes back"
    if name_score(name, "event")[0] >= 3 and column.type == "text" and column.distinct <= 20:
        return start + "it is a kind of event, and all kinds count the same"
    if name_score(name, "price")[0] >= 1.5 and column.type == "number":
        return start + "it is a price"
    return start + f"nothing shows what it is ({column.type}, {column.distinct:,} distinct values)"


def _kind_of_users(user: str, file: _File, mapping: Mapping[str, Any]) -> str:
    """Return the kind of the users: "people", "lists" or "baskets"."""
    word = name_score(user, "user")[1]
    if (
        word in LISTS
        or file.profiles[mapping["interactions"]["item"]].type == "list"
        or "title" in mapping.get("users", {})
    ):
        return "lists"
    return "baskets" if word in BASKETS else "people"


def _described_by(main: _File, user: Candidate, item: Candidate, taken: set[Any]) -> dict[str, Any]:
    """Return the `users:` or `items:` mapping that the file of interactions provides, {} if it provides none.

    It has the titles and tags of lists, or the texts of items. `taken` are the columns in use.
    """
    if main.profiles[item.column].type == "list":
        users = _description(main, "user", user.column, lists=True)
        return {"users": users} if {"title", "tags"} & users.keys() else {}
    text = best_named({n: c for n, c in main.profiles.items() if n not in taken}, "text", ("text",))
    if text is not None and main.determines(item.column, text) > 0.5:
        return {"items": {**main.options, "id": item.column, "text": [text]}}
    return {}


def _description(file: _File, owner: str, key: str, *, lists: bool) -> dict[str, Any]:
    """Return the `users:` or `items:` mapping of a file with a row for each `owner`; `key` is the column of their ids.

    With `lists`, users are lists, and a column of texts is their title.
    """
    mapping: dict[str, Any] = {**file.options, "id": key}
    rest = {name: column for name, column in file.profiles.items() if name != key}
    tag = best_named(rest, "tag", ("text", "list"))
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
    """Return the columns that are categories by their values: flags, and short texts of which there are few."""
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


def _place(
    file: _File, main: _File, user: Candidate, item: Candidate, mapping: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """Add a file other than the interactions to `mapping`; return the evidence, and notes on unused columns."""
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
        return [], [f"{file.name} is not used: {Path(place[title]['path']).name} describes more of the {owner}s"]
    place[title] = entry
    named = _texts({k: v for k, v in entry.items() if k not in file.options})
    left = [n for n in file.profiles if n not in named]
    return [why], [f"{file.name}: not used are the columns {', '.join(left)}"] if left else []


def _owner(file: _File, ids: Mapping[str, Vocabulary], columns: Mapping[str, str]) -> tuple[str, str, float]:
    """Return "user" or "item", the column of a file that has their ids, and the share of the ids that it has.

    Both texts are empty if no column has them. If columns of numbers have equal shares, their names and the subject of
    the file decide.
    """
    best: tuple[tuple[float, float], str, str, float] = ((0.0, 0.0), "", "", 0.0)
    for owner, vocabulary in ids.items():
        for name, column in file.profiles.items():
            if column.type in ("list", "empty", "flag", "clock"):
                continue
            keys = file.keys(name)
            share = float(np.mean(keys.encode(vocabulary.ids) != PADDING)) if len(vocabulary) else 0.0
            if share < 0.05:
                continue
            subject = _subject(file, name)
            named = (
                name_score(name, owner)[0] / 4 + (name.lower() == columns[owner].lower()) + (name.lower() == "id") * 0.5
            )
            # Columns of numbers from 1 on match whatever they number, so names decide among them.
            score = share + named + (0.5 if subject == owner else -0.5 if subject else 0.0)
            if (score, share) > best[0]:
                best = ((score, share), owner, name, share)
    return best[1:]
