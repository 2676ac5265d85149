"""The search for the file of interactions among files of unknown role, and for its columns of users and items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hybridrec.data.io.column_profile import describe_types, words_of
from hybridrec.data.io.inspected_file import InspectedFile
from hybridrec.data.io.other_shapes import holds_ids, shape_of
from hybridrec.data.io.roles import CLOSE, ID_WORDS, WEAK, Candidate, best_named, ranked
from hybridrec.data.io.side_files import subject_of
from hybridrec.errors import DataError, did_you_mean

DOUBT = "no column is called so: the first of two columns of ids is taken for users, the second for items"
MATCHES = 0.5
"""The share of a column's values that must be keys of another file for the column to refer to that file."""


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


def find_interactions(
    files: list[InspectedFile], hints: SchemaHints
) -> tuple[InspectedFile, Candidate, Candidate, list[str]]:
    """Return the file of interactions, its columns of users and of items, and sentences with the evidence for them.

    Raises DataError if no file has a user and an item in each row, or if the evidence does not decide.
    """
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
    if not readings and hints.user is None and hints.item is None:
        readings = [(file, *pair) for file in files_of_interactions for pair in _pair_in_order(file)]
        readings = readings if len(readings) == 1 else []
    if not readings:
        if shapes := [shape for file in files_of_interactions if (shape := shape_of(file))]:
            raise DataError("; ".join(shapes))
        seen = "; ".join(f"{file.name}: {describe_types(file.profiles.values())}" for file in files)
        raise DataError(
            f"no file has a user and an item in each row. Seen: {seen}. Say which columns they are: --user COLUMN "
            "--item COLUMN"
        )

    best = [
        max((r for r in readings if r[0] is file), key=lambda r: r[1].score + r[2].score)
        for file in {id(file): file for file, *_ in readings}.values()
    ]
    # Of files whose evidence is about equal, the longest one is taken, since interactions outnumber descriptions.
    clearest = max(_clearness(*reading) for reading in best)
    alike = [reading for reading in best if _clearness(*reading) > clearest - 1.0]
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


def _clearness(file: InspectedFile, user: Candidate, item: Candidate) -> float:
    """Return the weight of the evidence that a file holds interactions.

    The weight is lower if no item repeats, and if the rows are about tags.
    """
    lists = file.profiles[item.column].type == "list"
    tags = not lists and best_named(file.profiles, "tag", ("text",)) is not None
    return user.score + item.score - 2.0 * tags - 3.0 * (file.profiles[item.column].is_unique and not lists)


def _settle(
    role: str, chosen: Candidate, candidates: Sequence[Candidate], file: InspectedFile, hints: SchemaHints
) -> Candidate:
    """Return the column for a role ("user" or "item"): `chosen`, unless another candidate has about as much evidence.

    In that case `hints.choose` asks a person, and the answer is returned. Raises DataError if there is nobody to ask,
    or if the person does not choose.
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


def _same_things(file: InspectedFile, column: str, other: str) -> bool:
    """Return True if the values of two columns correspond one to one, such as codes and descriptions."""
    return file.determines(column, other) > 0.9 and file.determines(other, column) > 0.9


def _pairs(
    file: InspectedFile, others: Sequence[InspectedFile], hints: SchemaHints
) -> list[tuple[Candidate, Candidate]]:
    """Return the pairs of columns of a file that may hold the users and the items of interactions.

    `others` are the other files, in which the ids may be described. Raises DataError if the file must hold the
    interactions, but does not have a column that `hints` names.
    """
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
    # Users with a row each have one item each, and nothing to learn from: such a table describes them, or is wide.
    once = {name for name, column in file.profiles.items() if column.is_unique and column.rows > 2 and not hints.user}
    pairs = [
        (user, item)
        for user in users
        for item in items
        if user.column != item.column
        and user.column not in lists
        and (item.column in lists or user.column not in once)
        and user.score >= WEAK
        and item.score >= WEAK
    ]
    if not pairs:
        # If one of the two roles is clear, the only other column of ids has the other role.
        for clear, rest, flip in ((users, items, False), (items, users, True)):
            strong = [c for c in clear if c.score >= WEAK]
            left = [c for c in rest if strong and c.column != strong[0].column and c.score > -1.0]
            if len(left) > 1:
                things = _independent_ids(file, [strong[0].column, *(c.column for c in left)])
                left = [c for c in left if c.column in things]
            if strong and len(left) == 1:
                only = replace(left[0], score=WEAK, reasons=(*left[0].reasons, "the only other column of ids"))
                return [(only, strong[0]) if flip else (strong[0], only)]
    return [(user, item) for user, item in pairs if not _one_to_one(file, user.column, item.column)]


def _pair_in_order(file: InspectedFile) -> list[tuple[Candidate, Candidate]]:
    """Return the columns of users and of items by their order in the file: a list with one pair, or an empty list.

    This is for a file whose roles neither its names nor other files show. The list is empty unless exactly two columns
    hold ids that do not follow from other columns.
    """
    keys = [c.column for role in ("user", "item") for c in ranked(file.profiles, role) if c.score > -1.0]
    if len(file.profiles) == 2 and all(column.type in ("text", "number") for column in file.profiles.values()):
        keys = [*file.profiles]
    names = [name for name, column in file.profiles.items() if name in keys and not holds_ids(file, column)]
    if len(names) > 2:
        names = _independent_ids(file, names)
    if len(names) != 2 or _one_to_one(file, *names):
        return []
    first, second = (Candidate(name, WEAK, (DOUBT,)) for name in names)
    return [(first, second)]


def _independent_ids(file: InspectedFile, names: Sequence[str]) -> list[str]:
    """Return the columns among `names` whose values are ids of things of their own, in the order of the file.

    Left out are columns in which hardly a value repeats, and columns whose value follows from another column, as the
    category follows from the item. Of two columns that follow from each other, the one with fewer missing values stays.
    In a file without names, columns of few values are left out too, such as kinds of events.
    """
    nameless = "columns" in file.options
    several = [
        column
        for name, column in file.profiles.items()
        if name in names
        and column.repeats >= 1.2
        and not (nameless and column.distinct <= FEW_VALUES and column.repeats >= FEW_VALUES)
    ]
    if len(several) > MOST_COLUMNS:
        return []
    kept: list[str] = []
    for column in sorted(several, key=lambda column: (-column.distinct * column.stated, -column.stated)):
        if not any(file.determines(other, column.name) > FOLLOWS for other in kept):
            kept.append(column.name)
    return [name for name in file.profiles if name in kept]


FEW_VALUES = 20
"""A column of at most so many values that occur at least as many times each holds kinds, and no users or items."""
MOST_COLUMNS = 12
"""The largest number of columns among which users and items are looked for by elimination."""
FOLLOWS = 0.9
"""The share of the rows in which the value of a column must follow from another column, for it to describe that."""


def _one_to_one(file: InspectedFile, user: str, item: str) -> bool:
    """Return True if nearly each user has one item and each item one user, as columns of a catalogue have."""
    if file.profiles[item].type == "list":
        return False
    return len(file.frame) > 2 and file.determines(user, item) > 0.95 and file.determines(item, user) > 0.95


def _evidence_for(file: InspectedFile, others: Sequence[InspectedFile], role: str) -> dict[str, tuple[float, str]]:
    """Return evidence from other files that columns of a file have a role: column -> (weight, reason).

    The evidence for a column is that its values are keys of another file, whose rows describe users or items (`role`).
    """
    evidence: dict[str, tuple[float, str]] = {}
    for other in others:
        for key, column in other.profiles.items():
            if not column.is_unique or column.type in ("list", "nested", "empty"):
                continue
            kind = subject_of(other, key)
            for name, own in file.profiles.items():
                if own.type in ("list", "nested", "empty", "flag") or own.is_unique or own.type != column.type:
                    continue
                share = file.share(name, other.keys(key))
                if share < MATCHES or (own.type == "number" and own.distinct < 20):
                    continue
                points = 1.5 * share if kind == role else (0.3 * share if not kind else -0.5 * share)
                if points > evidence.get(name, (0.0, ""))[0]:
                    evidence[name] = (points, f"{share:.0%} of its values are in column {key!r} of {other.name}")
    return evidence
