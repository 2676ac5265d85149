"""The lookup of entities by what people type: an exact id, or a title that may be typed loosely."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hybridrec.data.dataset import Dataset
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError, did_you_mean
from hybridrec.paths import printable
from hybridrec.types import EntityKind

LIKENESS = 75.0
"""The least similarity, 0 to 100, that each typed word must have to a word of the title. It is `rapidfuzz.fuzz.ratio`:
twice the number of letters that both have in the same order, in percent of the letters of both. A word with a digit
must be equal."""
AHEAD = 10.0
"""Points of similarity by which the best title must be ahead of the second best; otherwise the name is ambiguous."""
_NEAREST = 3
"""The largest number of suggestions in a message."""
_CANDIDATES = 1_000
"""The largest number of titles whose words are compared: the titles that are most similar as a whole."""


@dataclass(frozen=True, slots=True)
class Match:
    """The item, or entity of another kind, that was found for a typed name."""

    id: str
    name: str
    score: float
    """The similarity of the title to the typed text, 0 to 100; 100 for an id and for an equal title."""


def find(text: str, data: Dataset, kind: EntityKind, hint: str = "") -> Match:
    """Find the entity of a kind that `text` means: the entity with this exact id, else the entity with a similar title.

    Raises DataError for a kind that the data does not have, for a text that is neither an id nor similar to a title
    (this message ends with `hint`), and for a text that may mean several titles.
    """
    if kind not in data.entities:
        raise DataError(f"unknown kind '{kind}': {did_you_mean(kind, data.entities)}")
    return find_among(text, data.vocabulary(kind), kind, data.entities[kind].text, hint)


def find_among(text: str, ids: Vocabulary, kind: str, titles: Sequence[str] = (), hint: str = "") -> Match:
    """Find the id that `text` means among `ids`, as `find` does; `titles` has a title for each id, or is empty."""
    if text in ids:
        code = int(ids.encode([text])[0])
        return Match(text, (titles[code] if titles else "") or text, 100.0)
    typed = text.casefold().strip()
    same = [code for code, title in enumerate(titles) if title and title.casefold().strip() == typed]
    if len(same) == 1:
        return Match(ids.packed[same[0]], titles[same[0]], 100.0)
    if same:
        raise _ambiguous(text, [(ids.packed[code], titles[code]) for code in same])
    like = _alike(typed, titles)
    if like and (len(like) == 1 or like[0][0] - like[1][0] >= AHEAD):
        likeness, code = like[0]
        return Match(ids.packed[code], titles[code], likeness)
    if like:
        raise _ambiguous(text, [(ids.packed[code], titles[code]) for _, code in like])
    raise unknown_id(text, ids, kind, titles, hint)


def unknown_id(text: str, ids: Vocabulary, kind: str, titles: Sequence[str] = (), hint: str = "") -> DataError:
    """Return, but do not raise, the error about an unknown id, which proposes the nearest ids and titles."""
    from rapidfuzz import fuzz, process

    near: dict[int, float] = {}
    for names in (ids.packed, titles):
        nearest = process.extract(
            text.casefold(), names, scorer=fuzz.WRatio, processor=str.casefold, score_cutoff=60, limit=_NEAREST
        )
        for _, likeness, code in nearest:
            near[code] = max(likeness, near.get(code, 0.0))
    best = sorted(near, key=lambda code: (-near[code], code))[:_NEAREST]
    told = ", ".join(_named(ids.packed[code], titles[code] if titles else "") for code in best)
    like = " or a title like it" if any(titles) else ""
    nearest_ones = f"; nearest: {told}" if told else ""
    return DataError(f"none of {len(ids)} {kind} has the id {printable(text)}{like}{nearest_ones}{hint}")


def _alike(typed: str, titles: Sequence[str]) -> list[tuple[float, int]]:
    """Return (similarity of the whole title, code) for each title that has a word similar to every typed word.

    The most similar title comes first. If some titles have exactly the typed words in a row, only these titles are
    returned.
    """
    from rapidfuzz import fuzz, process

    words = _words(typed)
    if not words or not titles:
        return []
    near = process.extract(
        typed, titles, scorer=fuzz.WRatio, processor=str.casefold, score_cutoff=60, limit=_CANDIDATES
    )
    split = {code: _words(title.casefold()) for title, _, code in near}
    like = [code for code, title in split.items() if _has_like(words, title)]
    in_a_row = [code for code in like if f" {' '.join(words)} " in f" {' '.join(split[code])} "]
    whole = [(fuzz.token_sort_ratio(" ".join(words), " ".join(split[code])), code) for code in in_a_row or like]
    return sorted(whole, key=lambda match: (-match[0], match[1]))


def _has_like(typed: Sequence[str], title: Sequence[str]) -> bool:
    """Return True if every typed word is similar to a word of the title; a word with a digit must be in the title."""
    from rapidfuzz import fuzz

    return all(
        word in title
        or (not _numbered(word) and any(not _numbered(w) and fuzz.ratio(word, w) >= LIKENESS for w in title))
        for word in typed
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _numbered(word: str) -> bool:
    return any(letter.isdigit() for letter in word)


def _ambiguous(text: str, matches: Sequence[tuple[str, str]]) -> DataError:
    told = ", ".join(_named(*match) for match in matches[:_NEAREST])
    others = f" or {len(matches) - _NEAREST} others" if len(matches) > _NEAREST else ""
    return DataError(f"{printable(text)} may be {told}{others}: give the id, or more of the title")


def _named(external: str, title: str) -> str:
    """Format an id for a message: "TITLE (ID)", or the id alone if it has no other title."""
    return f"{printable(title)} ({external})" if title and title != external else printable(external)
