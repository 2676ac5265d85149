"""Typed columns that describe entities or requests: numbers, categories, flags and times, which may be unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, vstack

from hybridrec.data.frozen import freeze, frozen_csr
from hybridrec.errors import DataError, did_you_mean
from hybridrec.types import PADDING, Doubles, Ints, Sparse

FeatureType: TypeAlias = Literal["number", "category", "flag", "time"]
"""The type of a feature column."""
FeatureValue: TypeAlias = "str | float | bool | Sequence[str] | None"
"""The value of a feature for one entity or request, as a person writes it; a list has several categories."""
LABELS = ""
"""The name of the category column for labels: features that are known only by their full names ("genre:jazz")."""


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One typed column with a row for each of N entities or requests.

    type: "number", "category", "flag" or "time"
    values: float32[N] of numbers; float32[N] of flags, 1 or 0; float64[N] of times, seconds since 1970. All of these
        are NaN where unknown. For categories csr float32 [N, len(categories)]: a row has an entry for each of its
        categories, and is empty if they are unknown
    categories: the names of the categories, ascending; empty for the other types
    """

    type: FeatureType
    values: Any
    categories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    def take(self, rows: NDArray[np.integer] | slice) -> FeatureColumn:
        """Return the given rows, in the given order; where `rows` has -1, the value is unknown."""
        if isinstance(rows, slice):
            return FeatureColumn(self.type, self.values[rows], self.categories)
        rows = np.asarray(rows)
        missing = rows == PADDING
        if self.type == "category":
            return FeatureColumn(self.type, _csr_rows(self.values, rows), self.categories)
        if not len(self):
            return FeatureColumn(self.type, np.full(len(rows), np.nan, self.values.dtype), self.categories)
        return FeatureColumn(self.type, np.where(missing, np.nan, self.values[rows]).astype(self.values.dtype))

    def single(self) -> Ints:
        """Return the code of the category of each row: int32[N], the lowest code if it has several, -1 if unknown.

        Raises ValueError for a column of another type.
        """
        if self.type != "category":
            raise ValueError(f"a column of type '{self.type}' has no categories")
        codes = np.full(len(self), PADDING, np.int32)
        filled = np.diff(self.values.indptr) > 0
        codes[filled] = self.values.indices[self.values.indptr[:-1][filled]]
        return codes

    def encode(self, values: Sequence[FeatureValue], place: str = "value") -> FeatureColumn:
        """Return a column of the given values with the type and the categories of this column.

        A value is unknown if it is None, or a category that this column does not have. Raises DataError for a value of
        another type; `place` begins its message.
        """
        if self.type == "category":
            return self._encode_categories(values, place)
        numbers = np.full(len(values), np.nan, self.values.dtype)
        for row, value in enumerate(values):
            if value is None:
                continue
            if isinstance(value, bool) != (self.type == "flag") or not isinstance(value, (bool, int, float, np.number)):
                wanted = {"flag": "true or false", "number": "a number", "time": "seconds since 1970"}[self.type]
                raise DataError(f"{place}: {value!r} is not {wanted}")
            numbers[row] = value
        return FeatureColumn(self.type, numbers)

    def _encode_categories(self, values: Sequence[FeatureValue], place: str) -> FeatureColumn:
        codes = {name: code for code, name in enumerate(self.categories)}
        rows, columns = [], []
        for row, value in enumerate(values):
            if value is None:
                continue
            present = [codes[name] for name in _texts(value, place) if name in codes]
            rows += [row] * len(present)
            columns += present
        ones = np.ones(len(rows), np.float32)
        matrix = csr_matrix((ones, (rows, columns)), shape=(len(values), len(self.categories)), dtype=np.float32)
        return FeatureColumn("category", matrix, self.categories)


@dataclass(frozen=True, slots=True)
class Features:
    """Typed columns by name, all with a row for each of N entities, interactions or requests."""

    columns: dict[str, FeatureColumn]
    _encoded: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the dict of columns read-only, since all holders of the object share it."""
        freeze(self)

    @classmethod
    def of_labels(cls, names: Sequence[str], matrix: Sparse) -> Features:
        """Return features known only by their full names ("genre:jazz"): `matrix` is csr float32 [N, len(names)]."""
        return cls({LABELS: FeatureColumn("category", matrix, tuple(names))})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns of `matrix`, ascending: "column:category", labels, and the names of flags."""
        return self._matrix()[0]

    @property
    def matrix(self) -> Sparse:
        """Categories and true flags, the features that factor models learn from: csr float32 [N, len(names)].

        Numbers and times are left out, as their scales would drown the other features.
        """
        return self._matrix()[1]

    def column(self, name: str) -> FeatureColumn:
        """Return the column of this name; raises DataError, which lists the available names, if there is none."""
        if name not in self.columns:
            named = [column for column in self.columns if column != LABELS]
            raise DataError(f"unknown feature '{name}': {did_you_mean(name, named)}")
        return self.columns[name]

    @property
    def numeric(self) -> tuple[str, ...]:
        """The names that `numbers` accepts: all columns of numbers, flags and times, and labels, which have weights."""
        labels = self.columns[LABELS].categories if LABELS in self.columns else ()
        return (*(name for name, column in self.columns.items() if column.type != "category"), *labels)

    @property
    def types(self) -> dict[str, FeatureType]:
        """The type of each column by its name; labels such as "genre:jazz" count as a category column "genre"."""
        types: dict[str, FeatureType] = {name: column.type for name, column in self.columns.items() if name != LABELS}
        labels = self.columns[LABELS].categories if LABELS in self.columns else ()
        labelled: dict[str, FeatureType]
        labelled = dict.fromkeys(_prefixes([label for label in labels if ":" in label]), "category")
        return labelled | types

    def numbers(self, name: str) -> Doubles:
        """Return a column of numbers, flags or times, or the weights of a label: float64[N], NaN where unknown.

        Raises DataError for any other name.
        """
        if name in self.columns and self.columns[name].type != "category":
            return np.asarray(self.columns[name].values, np.float64)
        if name not in self.numeric:
            raise DataError(f"no feature with numbers is called '{name}': {did_you_mean(name, self.numeric)}")
        column = self.columns[LABELS]
        weights = column.values[:, [column.categories.index(name)]].tocoo()
        numbers = np.full(len(self), np.nan)
        numbers[weights.row] = weights.data
        return numbers

    def take(self, rows: NDArray[np.integer] | slice) -> Features:
        """Return the given rows, in the given order; where `rows` has -1, all values are unknown."""
        return Features({name: column.take(rows) for name, column in self.columns.items()})

    def encode(self, rows: Sequence[Mapping[str, FeatureValue]], place: str) -> Features:
        """Encode new rows in the columns of these features; each row maps some of the names in `types` to their values.

        A value that a row does not have is unknown. Raises DataError for an unknown name or a value of another type;
        `place` begins its message.
        """
        types = self.types
        for name in dict.fromkeys(name for values in rows for name in values):
            if name not in types:
                raise DataError(f"{place}: unknown name '{name}'; {did_you_mean(name, types)}")
        labels = [
            [
                f"{name}:{text}"
                for name in values
                if name not in self.columns
                for text in _texts(values[name], place, name)
            ]
            for values in rows
        ]
        return Features(
            {
                name: column.encode(
                    labels if name == LABELS else [values.get(name) for values in rows], f"{place}.{name}"
                )
                for name, column in self.columns.items()
            }
        )

    @classmethod
    def stack(cls, parts: Sequence[Features]) -> Features:
        """Concatenate the rows of several features, which all have the same columns."""
        columns = {}
        for name, first in parts[0].columns.items():
            values = [features.columns[name].values for features in parts]
            join = partial(vstack, format="csr") if first.type == "category" else np.concatenate
            columns[name] = FeatureColumn(first.type, join(values), first.categories)
        return cls(columns)

    def updated(self, others: Features) -> Features:
        """Return these features, in which the known values of `others` replace the values in the same rows and columns.

        `others` has the same columns and the same number of rows. In a row, a label replaces only labels with the same
        text before the colon: "genre:jazz" replaces "genre:rock".
        """
        columns = {}
        for name, mine in self.columns.items():
            given = others.columns[name]
            if mine.type == "category":
                values: Any = _replaced(mine, given, by_prefix=name == LABELS)
            else:
                values = np.where(np.isnan(given.values), mine.values, given.values)
            columns[name] = FeatureColumn(mine.type, values, mine.categories)
        return Features(columns)

    def _matrix(self) -> tuple[tuple[str, ...], Sparse]:
        """Return (`names`, `matrix`), cached from the first call on; threads that race to make them make equal ones."""
        if "matrix" not in self._encoded:
            self._encoded["matrix"] = self._encode_matrix()
        encoded: tuple[tuple[str, ...], Sparse] = self._encoded["matrix"]
        return encoded

    def _encode_matrix(self) -> tuple[tuple[str, ...], Sparse]:
        columns = {name: column for name, column in self.columns.items() if column.type in ("category", "flag")}
        blocks = [_indicators(column) for column in columns.values()]
        names = [text for name, column in columns.items() for text in _names(name, column)]
        if not blocks:
            return (), frozen_csr(csr_matrix((len(self), 0), dtype=np.float32))
        if len(blocks) == 1:
            return tuple(names), frozen_csr(blocks[0])
        # By name, as ids of a vocabulary are, so that the order of the columns of a file makes no difference.
        order = sorted(range(len(names)), key=lambda place: names[place].encode())
        matrix = hstack(blocks, format="csr", dtype=np.float32)[:, order]
        return tuple(names[place] for place in order), frozen_csr(matrix)


def _texts(value: FeatureValue, *place: str) -> Sequence[str]:
    """Return the categories that a value names; an empty sequence for None.

    Raises DataError for a value that is neither a text nor a list of texts; `place` begins its message.
    """
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{'.'.join(place)}: {value!r} is not a text (or a list of texts)")
    return texts


def _prefixes(labels: Sequence[str]) -> list[str]:
    """Return the part of each label before its first colon: "genre" of "genre:jazz"."""
    return [label.partition(":")[0] for label in labels]


def _replaced(mine: FeatureColumn, given: FeatureColumn, *, by_prefix: bool) -> Sparse:
    """Return the categories of each row: its categories in `given`, or if it has none there, in `mine`; csr [N, C].

    With `by_prefix` this is done separately for the categories of each prefix (the text before the colon).
    """
    groups = _prefixes(mine.categories) if by_prefix else [""] * len(mine.categories)
    names, group = np.unique(np.array(groups, str), return_inverse=True)
    ones = np.ones(len(group), np.float32)
    of_group = csr_matrix((ones, (np.arange(len(group)), group)), shape=(len(group), len(names)))
    stated = (given.values @ of_group).toarray() > 0
    entries = mine.values.tocoo()
    kept = ~stated[entries.row, group[entries.col]]
    rest = csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=entries.shape)
    return (rest + given.values).tocsr()


def _indicators(column: FeatureColumn) -> Sparse:
    """Return a category column as csr float32 [N, categories], or a flag as csr [N, 1] with a 1 for each true value."""
    return column.values if column.type == "category" else csr_matrix((column.values == 1).astype(np.float32)[:, None])


def _names(name: str, column: FeatureColumn) -> Sequence[str]:
    """Return a name for each column that `_indicators` returns: "column:category", a label, or the name of a flag."""
    if column.type == "flag":
        return [name]
    return column.categories if name == LABELS else [f"{name}:{category}" for category in column.categories]


def _csr_rows(matrix: Sparse, rows: NDArray[np.integer]) -> Sparse:
    """Return the given rows of a csr matrix, in the given order; where `rows` has -1, the row is empty."""
    is_row = rows != PADDING
    places = np.flatnonzero(is_row)
    ones = np.ones(len(places), np.float32)
    picker = csr_matrix((ones, (places, rows[is_row])), shape=(len(rows), matrix.shape[0]))
    return (picker @ matrix).tocsr()
