"""A person's own ratings, read from a small file to become part of a query."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.io.line_lengths import check_lines
from hybridrec.errors import DataError
from hybridrec.serving.lookup import Match, find

HEADER = ["item", "rating"]


@dataclass(frozen=True, slots=True)
class UserRating:
    """A row of the file: an item as typed, the item of the data that was found for it, and the rating."""

    typed: str
    match: Match
    rating: float


def read_ratings(path: Path, data: Dataset) -> list[UserRating]:
    """Read a CSV file of rows `item,rating`, with or without that header; an item is an id, or a title typed loosely.

    A rating is a number of 0 or more, and 0 is a dislike. Above 1 it is on the scale of the weights in the data: at
    most the largest of them, and whole if all of them are, such as counts of plays. Raises DataError if a row cannot be
    used; the message names the line.
    """
    try:
        check_lines(path)
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; it holds a line `item,rating` for each item") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}") from None
    rows = csv.reader(lines, strict=True)
    scale = _Scale.of(data)
    rated: dict[str, tuple[int, UserRating]] = {}
    try:
        for fields in rows:
            where = f"{path}, line {rows.line_num}"
            if not any(field.strip() for field in fields):
                continue
            if not rated and [field.strip().casefold() for field in fields] == HEADER:
                continue
            rating = _rated(fields, where, data, scale)
            if rating.match.id in rated:
                line, first = rated[rating.match.id]
                raise DataError(
                    f"{where}: '{rating.typed}' is '{rating.match.name}', as is '{first.typed}' in line {line}"
                )
            rated[rating.match.id] = rows.line_num, rating
    except csv.Error as error:
        raise DataError(f"{path}, line {rows.line_num}: {error}; put names with commas or quotes in quotes") from None
    if not any(rating.rating for _, rating in rated.values()):
        raise DataError(f"{path} has no rating above 0, so there is nothing to recommend from")
    return [rating for _, rating in rated.values()]


@dataclass(frozen=True, slots=True)
class _Scale:
    """The largest weight of a data set, infinity if it holds no interactions, and whether all weights are whole."""

    largest: float
    whole: bool

    @classmethod
    def of(cls, data: Dataset) -> _Scale:
        weights = data.interactions.weights
        if not len(data.interactions.ids):  # a bundle without its users
            return cls(math.inf, whole=False)
        if weights is None:
            return cls(1.0, whole=False)
        return cls(float(weights.max()), bool((weights == np.rint(weights)).all()))

    def refusal(self, rating: float) -> str:
        """Return the reason against a rating, or ""."""
        if rating <= 1:
            return ""
        if self.largest <= 1:
            return "the data of this run has no ratings above 1, so that yours go from 0, a dislike, to 1"
        if rating > self.largest:
            return f"the largest weight in the data of this run is {self.largest:g}"
        if self.whole and rating != round(rating):
            return "the weights in the data of this run are whole numbers, so that yours are, too, or go from 0 to 1"
        return ""


def _rated(fields: list[str], where: str, data: Dataset, scale: _Scale) -> UserRating:
    if len(fields) != 2:
        raise DataError(f"{where}: {len(fields)} fields, not `item,rating`; put names with commas in quotes")
    typed, stated = (field.strip() for field in fields)
    try:
        rating = float(stated)
    except ValueError:
        rating = math.nan
    if not 0 <= rating < math.inf:
        raise DataError(f"{where}: the rating of '{typed}' is '{stated}', not a number from 0")
    if reason := scale.refusal(rating):
        raise DataError(f"{where}: the rating of '{typed}' is '{stated}'; {reason}")
    try:
        return UserRating(typed, find(typed, data, "items"), rating)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
