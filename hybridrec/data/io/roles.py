"""Roles of columns: evidence from their names and from their values, weighed for each role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hybridrec.data.io.column_profile import ColumnProfile, words_of

PEOPLE = (
    "user",
    "customer",
    "member",
    "person",
    "visitor",
    "listener",
    "reader",
    "viewer",
    "reviewer",
    "buyer",
    "client",
    "household",
    "subscriber",
    "account",
    "student",
    "station",
    "callsign",
    "uid",
)
"""Names of users who come back."""
LISTS = ("playlist", "plylst", "list", "mix", "show", "setlist", "pid")
"""Names of users that are lists of items, made at one time."""
BASKETS = ("basket", "session", "invoice", "order", "transaction", "cart", "receipt", "visit", "trip", "ticket")
"""Names of what one user did at one time."""

WORDS: dict[str, tuple[str, ...]] = {
    "user": (*PEOPLE[:1], *LISTS, *PEOPLE[1:], *BASKETS),
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
        "stock",
        "content",
        "isbn",
        "asin",
        "recipe",
        "course",
        "place",
        "restaurant",
        "business",
        "hotel",
        "anime",
        "beer",
        "dish",
        "artist",
        "news",
        "listing",
        "good",
    ),
    "tag": ("tag", "genre", "category", "keyword", "label", "mood", "style", "topic", "cuisine", "department"),
    "text": ("title", "name", "text", "description"),
    "time": ("time", "timestamp", "ts", "date", "datetime", "at", "day", "when"),
    "year": ("year", "release", "released"),
    "weight": ("rating", "weight", "count", "play", "playcount", "score", "star", "listen", "quantity", "qty"),
    "price": ("price", "cost", "amount", "revenue"),
    "event": ("event", "action", "behavior", "behaviour", "type", "kind"),
    "position": ("position", "pos", "order", "rank", "index", "sequence"),
    "group": ("fold",),
}
"""Usual names of columns, in lower case and singular; earlier words win over later ones."""

ID_WORDS = ("id", "uri", "key", "number", "no", "code", "num")
"""Words which show that a column holds ids, but not of what."""

ALL_WORDS = frozenset(word for names in WORDS.values() for word in names) | {*ID_WORDS, "author", "artist", "album"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that may have a role.

    score: the weight of the evidence; below WEAK it is too little
    reasons: the evidence, in words
    """

    column: str
    score: float
    reasons: tuple[str, ...]


WEAK = 1.0
"""Evidence that is not enough for a role."""
CLOSE = 0.5
"""Difference of evidence between two candidates below which neither is chosen."""


def name_score(column: str, role: str) -> tuple[float, str]:
    """Return the evidence of a name for a role, from 0 to 4, and the word that counts.

    The last word counts most: a track_name is a name before it is a track. Words before it make it less clear, so that
    `book_id` is an id of a book rather than `best_book_id`.

    >>> name_score("movie_id", "user"), name_score("item", "item"), name_score("my_item", "item")
    ((0.0, ''), (4.0, 'item'), (3.0, 'item'))
    """
    words = words_of(column)
    things = [word for word in words if word not in ID_WORDS]
    if not things:
        return 0.0, ""
    names = WORDS[role]
    last = next((word for word in (things[-1], things[-1].removesuffix("s")) if word in names), None)
    if last is not None:
        return max(1.5, 4.0 - (len(things) - 1)) - 0.01 * names.index(last), last
    mentioned = next((word for word in things if word in names), None)
    return (1.5 - 0.01 * names.index(mentioned), mentioned) if mentioned else (0.0, "")


def ranked(
    profiles: Mapping[str, ColumnProfile], role: str, evidence: Mapping[str, tuple[float, str]] | None = None
) -> list[Candidate]:
    """Return the columns that may be users or items, most evidence first.

    evidence: for some columns, what other files say of them
    """
    candidates = []
    for name, column in profiles.items():
        score, word = name_score(name, role)
        reasons = [f"called {word!r}"] if word else []
        if not is_key(column, word):
            continue
        if any(
            name_score(name, other)[0] > max(score + 1.5, 2.5) for other in WORDS if other not in ("user", "item", role)
        ):
            score -= 2.0  # its name says that it is something else
        if column.type != "list":
            if column.is_unique and column.rows > 1:
                score -= 2.0
                reasons.append("no value repeats")
            elif column.type == "number" and not word and column.distinct <= 20 and column.repeats >= 20:
                score -= 2.0  # a rating, say
            elif column.repeats >= 1.5:
                score += 0.5
                reasons.append(f"{column.distinct:,} values that occur {column.repeats:.3g} times each")
        extra, reason = (evidence or {}).get(name, (0.0, ""))
        score += extra
        if reason:
            reasons.append(reason)
        candidates.append(Candidate(name, round(score, 2), tuple(reasons)))
    return sorted(candidates, key=lambda candidate: -candidate.score)


def is_key(column: ColumnProfile, word: str) -> bool:
    """Return True if the values can be ids of users or items; `word` says that the name of the column means them."""
    if column.type == "list":
        return bool(word)
    if column.type in ("time", "year", "flag") and column.time is not None and column.time.unit is None:
        return False
    if column.type in ("time", "year"):  # large numbers, or four digits: an id if it is called one
        return bool(word)
    if column.type == "flag":
        return False
    return column.may_be_id or (bool(word) and column.type in ("number", "text"))


def best_named(
    profiles: Mapping[str, ColumnProfile], role: str, types: tuple[str, ...], least: float = 0.01
) -> str | None:
    """Return the column of one of these types whose name shows the role most clearly; None if none has `least`."""
    named = [
        (-score, place, name)
        for place, (name, column) in enumerate(profiles.items())
        if column.type in types and (score := name_score(name, role)[0]) >= least
    ]
    return min(named)[-1] if named else None
