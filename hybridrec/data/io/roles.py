"""Roles of columns: evidence from their names and from their values, weighed for each role."""

from __future__ import annotations

import re
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
    "profile",
    "cookie",
    "guest",
    "patron",
    "uuid",
)
"""Words in names of columns for users who come back."""
LISTS = ("playlist", "plylst", "list", "mix", "show", "setlist", "pid")
"""Words in names of columns for users that are lists of items, made at one time."""
BASKETS = ("basket", "session", "invoice", "order", "transaction", "cart", "receipt", "visit", "trip", "ticket")
"""Words in names of columns for all that one user did at one time."""

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
        "document",
        "app",
        "venue",
        "poi",
        "job",
        "paper",
        "offer",
        "attraction",
        "podcast",
    ),
    "tag": ("tag", "genre", "category", "keyword", "label", "mood", "style", "topic", "cuisine", "department"),
    "text": ("title", "name", "text", "description"),
    "time": ("time", "timestamp", "ts", "date", "datetime", "at", "day", "when", "stamp", "dt"),
    "year": ("year", "release", "released"),
    "weight": (
        "rating",
        "weight",
        "count",
        "play",
        "playcount",
        "score",
        "star",
        "listen",
        "quantity",
        "qty",
        "overall",
    ),
    "price": ("price", "cost", "amount", "revenue"),
    "event": ("event", "action", "behavior", "behaviour", "type", "kind"),
    "position": ("position", "pos", "order", "rank", "index", "sequence"),
    "group": ("fold",),
}
"""The usual words in names of columns of each role, in lower case and singular; earlier words outweigh later ones."""

ID_WORDS = ("id", "uri", "key", "number", "no", "code", "num", "nr")
"""Words in names of columns that hold ids of any kind."""

ALL_WORDS = frozenset(word for names in WORDS.values() for word in names) | {*ID_WORDS, "author", "artist", "album"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that may have a certain role.

    score: the weight of the evidence for the role; below `WEAK` it does not suffice
    reasons: the evidence, in words
    """

    column: str
    score: float
    reasons: tuple[str, ...]


WEAK = 1.0
"""The least weight of evidence that suffices for a role."""
CLOSE = 0.5
"""If the evidence for two candidates differs by less than this, neither is chosen."""


def name_score(column: str, role: str) -> tuple[float, str]:
    """Return (score, word): the evidence for a role that a column's name gives, from 0 to 4, and its word that does so.

    The last word counts most: `track_name` is rather a name than a track. Words before it weaken the evidence:
    `book_id` is more clearly the id of a book than `best_book_id`.

    >>> name_score("movie_id", "user"), name_score("item", "item"), name_score("my_item", "item")
    ((0.0, ''), (4.0, 'item'), (3.0, 'item'))
    >>> name_score("categories", "tag")
    (3.98, 'category')
    """
    words = words_of(column)
    things = [word for word in words if word not in ID_WORDS]
    if not things:
        return 0.0, ""
    names = WORDS[role]
    end = things[-1]
    last = next((word for word in (end, end.removesuffix("s"), re.sub("ies$", "y", end)) if word in names), None)
    if last is not None:
        return max(1.5, 4.0 - (len(things) - 1)) - 0.01 * names.index(last), last
    mentioned = next((word for word in things if word in names), None)
    return (1.5 - 0.01 * names.index(mentioned), mentioned) if mentioned else (0.0, "")


def ranked(
    profiles: Mapping[str, ColumnProfile], role: str, evidence: Mapping[str, tuple[float, str]] | None = None
) -> list[Candidate]:
    """Return the columns that may hold ids of a role ("user" or "item"), the one with the most evidence first.

    evidence: column -> (weight, reason), further evidence from other files
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
        if column.stated < 0.5 * column.rows:
            score -= 3.0
            reasons.append(f"only {column.stated / column.rows:.0%} of the rows have it")
        extra, reason = (evidence or {}).get(name, (0.0, ""))
        score += extra
        if reason:
            reasons.append(reason)
        candidates.append(Candidate(name, round(score, 2), tuple(reasons)))
    return sorted(candidates, key=lambda candidate: -candidate.score)


def is_key(column: ColumnProfile, word: str) -> bool:
    """Return True if the values can be ids of users or items.

    `word` is the word for a user or an item in the column's name, "" if the name has none. A column of times or lists
    needs one.
    """
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
    profiles: Mapping[str, ColumnProfile],
    role: str,
    types: tuple[str, ...],
    least: float = 0.01,
    *,
    stated: float = 0.0,
) -> str | None:
    """Return the column of one of these types whose name shows the role most clearly; None if no column qualifies.

    To qualify, a column needs evidence of at least `least` in its name (see `name_score`), and a value in at least the
    share `stated` of its rows.
    """
    named = [
        (-score, place, name)
        for place, (name, column) in enumerate(profiles.items())
        if column.type in types
        and column.stated >= stated * column.rows
        and (score := name_score(name, role)[0]) >= least
    ]
    return min(named)[-1] if named else None
