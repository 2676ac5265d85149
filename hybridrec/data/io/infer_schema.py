"""Inference of a schema: the roles of files and columns, by evidence from names, values and matching keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrec.data.io.column_profile import ColumnProfile, words_of
from hybridrec.data.io.columns import number_of
from hybridrec.data.io.inspected_file import InspectedFile, inspect_file
from hybridrec.data.io.interaction_columns import DOUBT, SchemaHints, find_interactions
from hybridrec.data.io.roles import BASKETS, LISTS, Candidate, best_named, name_score
from hybridrec.data.io.side_files import described_by_interactions, place_file, texts_in
from hybridrec.errors import DataError

if TYPE_CHECKING:
    import polars as pl

USABLE = 0.9
"""The share of a column's values that must be weights for it to be the weight; rows with other values are left out."""
MOST_POSITIVE = 0.5
"""The share of a column's values that must be above 0 for it to be the weight; with fewer, 0 often says "not rated"."""
MOST_STEPS = 21
"""The largest number of steps of a scale of ratings: 0 to 10 in halves."""
PARTS_OF_TIME = frozenset(("year", "month", "day", "hour", "minute", "second"))
"""Words in names of columns that hold a part of a time, such as the month."""
LARGEST_PART = 60
"""The largest number that a part of a time other than the year can have."""
LONG_TAIL = 20
"""Counts whose largest is more than this many times their median are replaced by their logarithms."""


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


def infer_schema(paths: Sequence[Path], folder: Path, hints: SchemaHints | None = None) -> Schema:
    """Infer the options of reader `table` for these files.

    Paths in the options are relative to `folder`. Raises DataError if no file has a user and an item in each row, if
    the evidence does not decide between two columns, or if a file cannot be read.
    """
    hints = hints or SchemaHints()
    given = hints.user is not None or hints.item is not None
    files = [inspect_file(path, folder, header=hints.header, columns_given=given) for path in paths]
    called = Counter(path.name for path in paths)
    files = [replace(file, shares_name=called[file.path.name] > 1) for file in files]
    main, user, item, reasons = find_interactions(files, hints)
    interactions, more, unused = _interactions(main, user, item, hints)
    mapping: dict[str, Any] = {"interactions": interactions}
    reasons += more
    if interactions.get("weight") and _is_long_tailed(main, interactions["weight"]):
        mapping["weight"] = {"transform": "log"}
        reasons.append(f"counts in {interactions['weight']!r} have a long tail: their logarithm is taken")
    notes = [f"{file.name}: {note}" for file in files for note in file.notes]
    if DOUBT in user.reasons:
        notes.append(f"{main.name}: {DOUBT}; --user and --item say otherwise")
    described = described_by_interactions(main, user, item, set(texts_in(interactions)))
    mapping |= described
    for file in files:
        if file is not main:
            reasons_of_file, notes_of_file = place_file(file, main, user, item, mapping)
            reasons += reasons_of_file
            notes += notes_of_file
    _state_missing(mapping, {file.options["path"]: file for file in files})
    used = set(texts_in(described))
    notes += [f"{main.name}: {note}" for name, note in unused.items() if name not in used]
    return Schema(mapping, _kind_of_users(user.column, main, mapping), tuple(notes), tuple(reasons))


def _state_missing(mapping: dict[str, Any], files: Mapping[str, InspectedFile]) -> None:
    """Add the option `missing` to each file in `mapping`: the texts for missing values in the columns that are used.

    `files` maps the paths in `mapping` to the files.
    """
    for entry in mapping.values():
        if not isinstance(entry, dict):
            continue
        if "path" not in entry:
            _state_missing(entry, files)
            continue
        profiles = files[entry["path"]].profiles
        used = {text for key, value in entry.items() if key != "columns" for text in texts_in(value)} & profiles.keys()
        if missing := sorted({text for name in used for text in profiles[name].missing}):
            entry["missing"] = missing


def _is_long_tailed(file: InspectedFile, counts: str) -> bool:
    """Return True if a column holds counts whose largest is far above their median."""
    numbers = file.profiles[counts].numbers
    if numbers is None or not numbers[2] or numbers[1] <= LONG_TAIL:
        return False
    median = file.frame.select(_number(file, counts).median()).item() or 1.0
    return bool(numbers[1] > LONG_TAIL * max(1.0, median))


def _number(file: InspectedFile, column: str) -> pl.Expr:
    """Express a column as numbers, read with the marks in its profile; null where a value is not a number."""
    profile = file.profiles[column]
    return number_of(column, file.frame.schema[column], profile.decimal, profile.thousands)


def _interactions(
    file: InspectedFile, user: Candidate, item: Candidate, hints: SchemaHints
) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    """Return (mapping, reasons, unused) for the file of interactions.

    The mapping is the section `interactions` of a config. The reasons are sentences with the evidence for its columns.
    `unused` maps the name of each other column to a sentence on why it is not used.
    """
    mapping: dict[str, Any] = {**file.options, "user": user.column, "item": item.column}
    reasons: list[str] = []
    profiles = {name: column for name, column in file.profiles.items() if name not in (user.column, item.column)}
    unused: dict[str, str] = {}
    times = [n for n, column in profiles.items() if column.type == "time" and column.stated >= USABLE * column.rows]
    named = best_named(profiles, "time", ("time",), stated=USABLE)
    time = hints.time or named or (times[0] if len(times) == 1 else None)
    counted = {name: column for name, column in profiles.items() if not _is_part_of_time(column, profiles)}
    # The last resort are days that are counted from somewhere, say.
    time = time or best_named(counted, "time", ("number", "year"), 2.5, stated=USABLE)
    if time is not None:
        mapping["time"] = time
        why = _enter_time(mapping, file.profiles[time], file, hints)
        reasons.append(f"time is {time!r}" + (f": {why}" if why else ""))
    weight = hints.weight or best_named(profiles, "weight", ("number", "year"))
    if weight is None and ("columns" in file.options or DOUBT in user.reasons):
        scale = [name for name in profiles if name != time and _is_scale(file, name, item.column)]
        weight = scale[0] if len(scale) == 1 else None
    if weight is not None:
        column = file.profiles[weight]
        usable, positive = _share_of_weights(file, weight)
        why = "" if hints.weight else _why_no_weight(weight, usable, positive)
        if column.numbers is None or why:
            unused[weight] = why or f"column {weight!r} is not used: it holds no numbers"
        else:
            mapping["weight"] = weight
            mapping |= _marks_of(column)
            below = f"; {1 - positive:.1%} of the rows have 0 or less and are left out" if positive < 1 else ""
            reasons.append(f"weight is {weight!r}: from {column.numbers[0]:g} to {column.numbers[1]:g}{below}")
    for role in ("position", "group"):
        places = {name: column for name, column in profiles.items() if words_of(name)[-1:] != ["id"]}
        name = best_named(places, role, ("number",))
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
    """Return True for a column that holds one part of a time (the day, say) beside a column with another part.

    Its name must be a word for a part of a time, and its numbers must be small.
    """
    parts = {name for name in profiles if PARTS_OF_TIME & {*words_of(name)}}
    small = column.type == "year" or (column.numbers is not None and column.numbers[1] <= LARGEST_PART)
    return small and column.name in parts and len(parts) > 1


def _share_of_weights(file: InspectedFile, column: str) -> tuple[float, float]:
    """Return two shares of a column's rows: of rows with a number of 0 or more, and of rows with a number above 0."""
    number = _number(file, column)
    usable, positive = file.frame.select(
        (number >= 0).fill_null(False).mean().alias("usable"), (number > 0).fill_null(False).mean().alias("positive")
    ).row(0)
    return float(usable or 0.0), float(positive or 0.0)


def _why_no_weight(name: str, usable: float, positive: float) -> str:
    """Return a sentence on why a column cannot be the weight, "" if it can.

    `usable` is the share of rows with a number of 0 or more, `positive` the share of rows with a number above 0.
    """
    said = f"; all rows count the same (with `--weight {name}` only these rows count)"
    if usable < USABLE:
        return f"column {name!r} is not used: only {usable:.0%} of its values can be weights{said}"
    if positive < MOST_POSITIVE:
        return f"column {name!r} is not used: only {positive:.0%} of its values are above 0{said}"
    return ""


def _is_scale(file: InspectedFile, name: str, item: str) -> bool:
    """Return True for a column whose numbers can be ratings.

    Ratings have few steps, begin at 0 or 1 and end at 100 at most, and one item has different ratings. `item` is the
    column of items.
    """
    column = file.profiles[name]
    steps = column.type == "number" and column.numbers is not None and 1 < column.distinct <= MOST_STEPS
    if not steps or column.numbers is None or not (0 <= column.numbers[0] <= 1 and column.numbers[1] <= 100):
        return False
    return file.determines(item, name) < USABLE


def _is_whole(column: ColumnProfile) -> bool:
    return column.numbers is not None and column.numbers[2] and column.stated == column.rows


def _enter_time(mapping: dict[str, Any], column: ColumnProfile, file: InspectedFile, hints: SchemaHints) -> str:
    """Add the unit or the form of a column of times to `mapping`, and return a description of this unit or form.

    Raises DataError if the form is ambiguous: if day and month cannot be told apart.
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


def _day_or_month(day: str, month: str, column: str, file: InspectedFile, hints: SchemaHints) -> str | None:
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


def _why_unused(name: str, column: ColumnProfile, file: InspectedFile, user: str) -> str:
    """Return a sentence on why a column of the interactions is not used."""
    start = f"column {name!r} is not used: "
    if column.type == "empty":
        return start + "it is empty"
    if column.type == "nested":
        return start + "its cells hold objects or lists of lists; right is a row for each entry"
    if column.type == "clock":
        return start + "it is a time of day without a date"
    if column.distinct == 1:
        return start + "all its values are the same"
    if column.type == "time" and column.stated < USABLE * column.rows:
        return start + f"only {column.stated / column.rows:.0%} of the rows have a time in it"
    if column.type == "time":
        return start + "another column is the time"
    if column.type == "number" and column.distinct == 2 and column.numbers == (0.0, 1.0, True):
        return start + f"it holds 0 and 1; if rows of 0 are no interactions, say `--weight {name}`"
    basket = name_score(name, "user")[1]
    if basket in BASKETS and file.determines(name, user) > 0.98:
        return start + f"each of its values belongs to one {user!r}, which comes back"
    if name_score(name, "event")[0] >= 3 and column.type == "text" and column.distinct <= 20:
        return start + "it is a kind of event, and all kinds count the same"
    if name_score(name, "price")[0] >= 1.5 and column.type == "number":
        return start + "it is a price"
    if column.stated < 0.5 * column.rows:
        return start + f"only {column.stated / column.rows:.0%} of the rows have a value in it"
    return start + f"nothing shows what it is ({column.type}, {column.distinct:,} distinct values)"


def _kind_of_users(user: str, file: InspectedFile, mapping: Mapping[str, Any]) -> str:
    """Return the kind of the users: "people", "lists" or "baskets"."""
    word = name_score(user, "user")[1]
    if (
        word in LISTS
        or file.profiles[mapping["interactions"]["item"]].type == "list"
        or "title" in mapping.get("users", {})
    ):
        return "lists"
    return "baskets" if word in BASKETS else "people"
