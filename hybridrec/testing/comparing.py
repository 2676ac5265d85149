"""What several contract suites do: the shared toy dataset, the way through a file, and exact comparison."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridrec.arrays import State
from hybridrec.data.dataset import Dataset
from hybridrec.stages.checks import C, check_self, check_state
from hybridrec.testing.toys import toy_dataset


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


def through_a_file(state: State) -> State:
    """Written and read again without pickle; raises PluginError for what cannot be."""
    check_state(state)
    file = io.BytesIO()
    np.savez(file, **cast(dict[str, Any], state))
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)
