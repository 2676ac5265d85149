"""Read-only arrays, matrices and dicts, so that no plugin can change the data that another plugin reads.

scipy sorts the indices of a matrix in place, in `sign()` for example, and detects lazily whether they are sorted
already. A frozen matrix is sorted and summed when it is made and flagged as such, so no operation changes it in
place, and threads do not race to do so.
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
_PLAIN = frozenset({type(None), str, int, tuple})
"""Types without anything to freeze."""
_NAMES: dict[type, tuple[str, ...]] = {}
_MESSAGE = "{0} is read-only because others share it: change a copy"


class FrozenMatrix(csr_matrix):  # type: ignore[misc]
    """A csr matrix whose arrays can neither be written to nor replaced; results computed from it are writable."""

    _frozen = False
    """True for instances that `frozen_csr` returns, False for instances that scipy makes as results of operations."""

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to replace an array or the shape of a frozen instance."""
        if self._frozen and name in (*_PARTS, "_shape"):
            raise ValueError(_MESSAGE.format(f"`{name.removeprefix('_')}` of a sparse matrix"))
        super().__setattr__(name, value)


class FrozenDict(dict[K, V]):
    """A dict that cannot be changed; its copies and unions are plain dicts."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise ValueError(_MESSAGE.format("this dict"))

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[FrozenDict[K, V]], tuple[dict[K, V]]]:
        """Serialize the content as a plain dict: by default unpickling sets key after key, which is refused."""
        return type(self), (dict(self),)


def freeze(holder: Any, *, canonical: bool = True) -> None:
    """Make every array, csr matrix and dict in the fields of a frozen dataclass read-only, without copies.

    The dataclass calls it in `__post_init__`. Arrays become views, so their creator can still write to the originals.
    A matrix that is not canonical (sorted, without duplicates) is replaced by a canonical copy, unless `canonical` is
    false.
    """
    for name in _members(type(holder)):
        value = getattr(holder, name)
        if type(value) in _PLAIN:  # most fields of a single query: a third of the time of freezing it
            continue
        frozen = _frozen(value, canonical)
        if frozen is not value:
            object.__setattr__(holder, name, frozen)


def _members(holder: Any) -> tuple[str, ...]:
    """Return the names of the fields that the constructor of a dataclass takes, looked up once for each class."""
    if holder not in _NAMES:
        _NAMES[holder] = tuple(member.name for member in fields(holder) if member.init)
    return _NAMES[holder]


def frozen_csr(matrix: Sparse, *, canonical: bool = True) -> Sparse:
    """Return the matrix itself if it is frozen, else a frozen matrix that shares its arrays.

    With `canonical`, a matrix that is not canonical (sorted, without duplicates) is copied instead of shared.
    """
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
    """Return a read-only equivalent of an array, a csr matrix or a dict; return any other value unchanged."""
    if isinstance(value, np.ndarray):
        return _frozen_array(value)
    if isinstance(value, csr_matrix):
        return frozen_csr(value, canonical=canonical)
    if isinstance(value, FrozenDict):
        return value
    if isinstance(value, dict):
        return FrozenDict({key: _frozen(entry, canonical) for key, entry in value.items()})
    return value


def _frozen_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view
