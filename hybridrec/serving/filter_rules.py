"""Filter rules of queries: conditions on declared attributes of the target, evaluated for all ids at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hybridrec.data.features import LABELS, FeatureColumn, Features
from hybridrec.data.ragged import Ragged
from hybridrec.errors import DataError, did_you_mean
from hybridrec.stages.kernels import csr_rows
from hybridrec.types import Bools, Longs, Target

_MAX_NAME, _MAX_TEXT, _MAX_VALUES = 512, 4_000, 10_000
"""The most characters of the name of an attribute and of a text, and the most values of a rule."""

Number: TypeAlias = Annotated[float, Field(ge=-1e300, le=1e300)]
_Met: TypeAlias = "tuple[Ragged, Longs | slice]"
"""The fields `holders` and `values` of a `Condition`."""
Scalar: TypeAlias = bool | Number | Annotated[str, Field(max_length=_MAX_TEXT)]


class FilterError(DataError):
    """The error for filter rules that cannot be evaluated; its message says what would be right.

    path: the key path of the mistake, such as `filters[0].column`
    """

    def __init__(self, path: str, message: str) -> None:
        """Set the key path and the message."""
        super().__init__(message)
        self.path = path


class FilterRule(BaseModel):
    """A condition on a declared attribute (a feature of the target): `is`, `in`, or a range of numbers or times.

    An id without the attribute does not meet the condition; `not` turns it around. The attributes `is_`, `in_`, `from_`
    and `not_` in Python are the keys of JSON without the underscore.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=False)

    column: Annotated[str, Field(min_length=1, max_length=_MAX_NAME, pattern=r"^[^\x00]*$")]
    is_: Scalar | None = Field(None, alias="is", description="The value, or one of the categories.")
    in_: Annotated[list[Scalar], Field(min_length=1, max_length=_MAX_VALUES)] | None = Field(
        None, alias="in", description="Any of these values."
    )
    from_: Number | None = Field(None, alias="from", description="The smallest number or time, itself included.")
    to: Number | None = Field(None, description="The largest number or time, itself included.")
    not_: bool = Field(False, alias="not", description="True to keep what does not meet the condition.")

    @model_validator(mode="after")
    def _states_one_condition(self) -> FilterRule:
        stated = [self.is_ is not None, self.in_ is not None, self.from_ is not None or self.to is not None]
        if sum(stated) != 1:
            raise ValueError("give exactly one of `is`, `in`, and a range by `from` or `to`")
        if self.from_ is not None and self.to is not None and self.from_ > self.to:
            raise ValueError(f"`from` is {self.from_:g}, above `to`, which is {self.to:g}")
        return self


_RULES = TypeAdapter(list[FilterRule])


def parse_json(text: str) -> Any:
    """Parse JSON; raises ValueError also for a key that stands twice in an object, of which one value would be lost."""
    return json.loads(text, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        ((repeated, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key '{repeated}' is there twice")
    return entries


def read_rules(text: str) -> list[dict[str, Any]]:
    """Read a JSON list of filter rules, as `valid_rules` returns them; raises FilterError for the first mistake."""
    try:
        return valid_rules(parse_json(text))
    except (ValueError, RecursionError) as error:
        raise FilterError("filters", f"is not JSON ({error})") from None


def valid_rules(stated: Any) -> list[dict[str, Any]]:
    """Return a list of filter rules with the stated keys of each; raises FilterError for the first mistake."""
    try:
        rules = _RULES.validate_python(stated)
    except ValidationError as error:
        raise _first_mistake(error, stated) from None
    return [rule.model_dump(exclude_defaults=True, by_alias=True) for rule in rules]


def _first_mistake(error: ValidationError, stated: Any) -> FilterError:
    """Return the error for the first mistake; all alternatives that were refused at its place are named."""
    messages: dict[str, list[str]] = {}
    for mistake in error.errors(include_url=False, include_context=False):
        path, node = "filters", stated
        for key in mistake["loc"]:  # names of alternatives are neither keys nor indices
            if isinstance(node, list) and isinstance(key, int):
                path, node = f"{path}[{key}]", node[key]
            elif isinstance(node, dict) and key in node:
                path, node = f"{path}.{key}", node[key]
        message = mistake["msg"].removeprefix("Value error, ")
        if mistake["type"] == "extra_forbidden":
            keys = [field.alias or name for name, field in FilterRule.model_fields.items()]
            message = f"unknown key: {did_you_mean(str(mistake['loc'][-1]), keys)}"
        elif mistake["type"] == "missing":
            message = f"`{mistake['loc'][-1]}` is missing"
        messages.setdefault(path, []).append(message)
    path, alternatives = next(iter(messages.items()))
    return FilterError(path, "; or: ".join(dict.fromkeys(alternatives)))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on one attribute.

    holders: for each value of the attribute the ids that have it
    values: int64, the codes of the values that meet the condition, or a range of them
    negated: True if an id is to have none of these values
    """

    holders: Ragged
    values: Longs | slice
    negated: bool

    def excluded(self) -> Bools:
        """Return the ids that do not meet the condition: bool[N]."""
        excluded = np.full(self.holders.width, not self.negated)
        excluded[self.holders.take(self.values).ids] = self.negated
        return excluded


def excluded(conditions: Sequence[Condition]) -> Bools:
    """Return the ids that do not meet all of these conditions, at least one: bool[N]."""
    mask: Bools = np.logical_or.reduce([condition.excluded() for condition in conditions])
    return mask


class AttributeIndex:
    """The attributes of a target, by which filter rules are evaluated; each is indexed when a rule first names it."""

    def __init__(self, features: Features | None, target: Target) -> None:
        """Take the features of all ids of the target, None if there are none."""
        self._columns = {} if features is None else features.columns
        self._types = {} if features is None else features.types
        self._target = target
        self._indexes: dict[str, tuple[Any, Ragged]] = {}

    def excluded(self, rules: Sequence[Mapping[str, Any]]) -> Bools:
        """Return the ids that do not meet all of these rules, at least one: bool[N].

        Each rule has the stated keys of a valid `FilterRule`. Raises FilterError for an attribute that the target does
        not have, and for a value of another type.
        """
        return excluded(conditions_of(self, rules))

    def _condition(self, rule: Mapping[str, Any], path: str) -> Condition:
        name = rule["column"]
        if name not in self._types:
            declared = did_you_mean(name, self._types) if self._types else f"{self._target} have no attributes"
            raise FilterError(f"{path}.column", f"unknown attribute '{name}': {declared}")
        stated = f"{path}.{'in' if 'in' in rule else 'is'}"
        values = rule["in"] if "in" in rule else [rule["is"]] if "is" in rule else None
        if self._types[name] == "category":
            if values is None:
                raise FilterError(f"{path}.from", f"'{name}' has categories; ask for them by `is` or `in`")
            met = self._in_categories(name, values, stated)
        else:
            met = self._in_range(name, rule, path) if values is None else self._equal(name, values, stated)
        return Condition(*met, bool(rule.get("not")))

    def _in_categories(self, name: str, values: Sequence[Any], path: str) -> _Met:
        """Return the condition of having any of these categories; nothing has one that does not exist."""
        if not all(isinstance(value, str) for value in values):
            raise FilterError(path, f"'{name}' has categories, which are texts")
        if name not in self._columns:  # labels "genre:jazz" are one column for all prefixes
            name, values = LABELS, [f"{name}:{value}" for value in values]
        codes, holders = self._indexed(name)
        return holders, np.array([codes[value] for value in values if value in codes], np.int64)

    def _in_range(self, name: str, rule: Mapping[str, Any], path: str) -> _Met:
        """Return the condition of having a number or time from `from` to `to`."""
        if self._columns[name].type == "flag":
            raise FilterError(f"{path}.from", f"'{name}' is a flag; ask for it by `is`: true or false")
        held, holders = self._indexed(name)
        low, high = _of_type(held, [rule.get("from", -np.inf), rule.get("to", np.inf)])
        return holders, slice(int(np.searchsorted(held, low, "left")), int(np.searchsorted(held, high, "right")))

    def _equal(self, name: str, values: Sequence[Any], path: str) -> _Met:
        """Return the condition of having any of these numbers, times or flags."""
        kind = self._columns[name].type
        flags = kind == "flag"
        right = "true or false" if flags else "a number" if kind == "number" else "seconds since 1970"
        for value in values:
            if isinstance(value, bool) != flags or not isinstance(value, (bool, int, float)):
                raise FilterError(path, f"'{name}': {value!r} is not {right}")
        held, holders = self._indexed(name)
        asked = _of_type(held, values)
        codes = np.searchsorted(held, asked)
        present = codes < len(held)
        present[present] = held[codes[present]] == asked[present]
        return holders, codes[present]

    def _indexed(self, name: str) -> tuple[Any, Ragged]:
        """Return (values, holders) of a column of the features, made at the first call.

        values: category -> code; for other types the values that ids have, ascending, whose places are their codes
        holders: for each code the ids with the value
        """
        if name not in self._indexes:
            column = self._columns[name]
            self._indexes[name] = _index_categories(column) if column.type == "category" else _index_values(column)
        return self._indexes[name]


def conditions_of(index: AttributeIndex, rules: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Return the conditions of rules; raises as `AttributeIndex.excluded`, which takes the same rules."""
    return tuple(index._condition(rule, f"filters[{place}]") for place, rule in enumerate(rules))


def _index_categories(column: FeatureColumn) -> tuple[dict[str, int], Ragged]:
    codes = {category: code for code, category in enumerate(column.categories)}
    shape = len(column.categories), len(column)
    return codes, Ragged.from_columns(column.values.indices, csr_rows(column.values), shape)


def _index_values(column: FeatureColumn) -> tuple[NDArray[np.floating], Ragged]:
    filled = np.flatnonzero(~np.isnan(column.values)).astype(np.int32)
    values, codes = np.unique(column.values[filled], return_inverse=True)
    return values, Ragged.from_columns(codes.reshape(-1).astype(np.int32), filled, (len(values), len(column)))


def _of_type(held: NDArray[np.floating], values: Sequence[float]) -> NDArray[np.floating]:
    """Return stated numbers in the type of those that ids have, in which both are compared."""
    with np.errstate(over="ignore"):  # beyond the type: infinite
        return np.array(values, held.dtype)
