"""What several contract suites do: the shared toy dataset, the way through a file, and exact comparison."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.arrays import State
from hybridrec.data.dataset import Dataset
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.stages.checks import C, check_self, check_state
from hybridrec.testing.toys import toy_dataset

T = TypeVar("T", bound=np.generic)


@lru_cache(maxsize=1)
def toy() -> Dataset:
    """The toy dataset, made once; not to be written to."""
    return toy_dataset()


def fitted(component: C, data: Dataset) -> C:
    """The component, fitted on `data`; raises PluginError if `fit` does not return it."""
    return check_self(component, "fit", component.fit(data, np.random.default_rng(0)))


def identical(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Same type and same values, NaN equal to NaN."""
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def read_only(array: NDArray[T]) -> NDArray[T]:
    """Return the array itself, made read-only: so the engine hands out what others share."""
    array.flags.writeable = False
    return array


def contents(**handed: object) -> dict[str, object]:
    """Return everything in what a plugin is handed, named by argument and field, to compare before with after.

    The entries of a csr matrix count as they lie: sorting them is a change, too.
    """
    return {name: entry for place, value in handed.items() for name, entry in _entries(place, value)}


def assert_unchanged(before: Mapping[str, object], **handed: object) -> None:
    """Refuse a change since `before`, the `contents` of the same values."""
    after = contents(**handed)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed, f"changed what it was given: {', '.join(changed)}"


def _entries(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, np.ndarray):
        yield name, (value.dtype.str, value.shape, value.tobytes())
    elif isinstance(value, csr_matrix):
        yield from _entries(f"{name}.shape", value.shape)
        for member in ("data", "indices", "indptr"):
            yield from _entries(f"{name}.{member}", getattr(value, member))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _entries(f"{name}.{key}", entry)
    elif isinstance(value, Vocabulary):
        yield name, value.ids.to_list()
    elif is_dataclass(value):
        yield f"{name}.type", type(value)
        for field in fields(value):
            if field.init:
                yield from _entries(f"{name}.{field.name}", getattr(value, field.name))
    else:
        yield name, value


def through_a_file(state: State) -> State:
    """Written and read again without pickle; raises PluginError for what cannot be."""
    check_state(state)
    file = io.BytesIO()
    np.savez(file, **cast(dict[str, Any], state))
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)
