"""Values that many hold at once: their arrays are read-only, so that no plugin changes what another one reads.

scipy sorts the indices of a matrix in place when it is asked for its signs, say, and looks up lazily whether
they are sorted. A frozen matrix is sorted and summed from the start, and says so: nothing is left to be done
in place, by whichever thread comes first.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NoReturn, TypeVar

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.types import Sparse

K = TypeVar("K")
V = TypeVar("V")
_PARTS = ("data", "indices", "indptr")
_MESSAGE = "{0} is read-only, others share it: change a copy"


class FrozenMatrix(csr_matrix):  # type: ignore[misc]
    """A csr matrix whose arrays can be neither written to nor replaced; what is computed from it is free again."""

    _frozen = False
    """On an instance that scipy makes as the result of an operation."""

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse other arrays and another shape."""
        if self._frozen and name in (*_PARTS, "_shape"):
            raise ValueError(_MESSAGE.format(f"`{name.removeprefix('_')}` of a sparse matrix"))
        super().__setattr__(name, value)


class FrozenDict(dict[K, V]):
    """A dict without a way to change it; its copies and unions are plain dicts."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise ValueError(_MESSAGE.format("this dict"))

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict[K, V]], tuple[dict[K, V]]]:
        """Pickle it whole: unpickling would else set one key after the other."""
        return type(self), (dict(self),)


def freeze(holder: object, *, canonical: bool = True) -> None:
    """Make every array, csr matrix and dict that a frozen dataclass was given read-only, without a copy.

    For its `__post_init__`. Arrays become views, so whoever made one may still write to it. A matrix that is not
    canonical (sorted, without duplicates) is copied into one that is, unless `canonical` is false.
    """
    for member in fields(holder):  # type: ignore[arg-type]
        if member.init:
            value = getattr(holder, member.name)
            frozen = _frozen(value, canonical)
            if frozen is not value:
                object.__setattr__(holder, member.name, frozen)


def frozen_csr(matrix: Sparse, *, canonical: bool = True) -> Sparse:
    """Return the matrix with read-only arrays: itself if it is frozen, else one that shares them, or see `freeze`."""
    if isinstance(matrix, FrozenMatrix) and matrix._frozen:
        return matrix
    if canonical and not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    result = FrozenMatrix.__new__(FrozenMatrix)
    result.__dict__.update(matrix.__dict__)
    for name in _PARTS:
        setattr(result, name, _frozen_array(getattr(matrix, name)))
    result._frozen = True
    return result


def _frozen(value: Any, canonical: bool) -> Any:
    """A read-only value in the place of an array, a csr matrix or a dict; anything else as it is."""
    if isinstance(value, np.ndarray):
        return _frozen_array(value)
    if isinstance(value, csr_matrix):
        return frozen_csr(value, canonical=canonical)
    if isinstance(value, dict):
        return FrozenDict({key: _frozen(entry, canonical) for key, entry in value.items()})
    return value


def _frozen_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view
