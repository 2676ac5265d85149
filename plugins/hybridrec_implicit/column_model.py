"""Base of models of the user-by-column matrix, whose columns are items and optionally tags and other entities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from pydantic import Field

from hybridrec import (
    EVERY_KIND,
    ITEMS,
    Component,
    DataError,
    Dataset,
    Floats,
    MissingDependencyError,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Values,
    stack_columns,
    valued,
)

_INSTALL_HINT = "pip install 'hybridrec[implicit]'"


class ColumnOptions(Options):
    """Options of the training matrix of users and columns: the fields that are its columns, and its values."""

    fields: tuple[Target, ...] | None = Field(None, min_length=1)
    """`[items]`, or `[items, tags]`: both are learned jointly, so that tags predict items and items predict tags. By
    default items and every kind that users carry."""
    weights: Values = "binary"
    """Value w of an interaction, tag or other entity: 1, log(1 + its weight), or its weight. Logs and weights are
    divided by the mean of their row."""
    tag_weight: float = Field(1.0, gt=0)
    """Factor on the values of tags and other entities."""


class ColumnModel(Component):
    """Model of the user-by-column matrix; it folds in any user from the history and entities of the query."""

    requires = ("implicit",)
    install_hint = _INSTALL_HINT
    folds_in = True
    config: ColumnOptions

    kinds: tuple[Target, ...]
    """The kinds of the columns, in their order."""

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self.targets = self.config.fields or (EVERY_KIND,)
        self.needs = frozenset(self.targets)

    def kinds_of(self, data: Dataset) -> tuple[Target, ...]:
        """Return the kinds of the columns, in their order; raises DataError for a field that users do not carry."""
        for field in self.config.fields or ():
            if field not in data.targets:
                carried = ", ".join(data.targets)
                raise DataError(
                    f"{self.name}: `fields` names '{field}', which users do not carry; they carry {carried}"
                )
        return tuple(kind for kind in data.targets if self.recommends(kind))

    def matrix(self, batch: Dataset | QueryBatch) -> Sparse:
        """Build the matrix of users or queries over the columns, the ids of `kinds`: csr float32 [rows, columns]."""
        blocks = [self._block(batch, kind) for kind in self.kinds]
        filled = [block for block in blocks if block.shape[1]]
        if len(filled) == 1:  # a single block needs no join, and no copy
            return filled[0]
        return stack_columns(blocks)

    def _block(self, batch: Dataset | QueryBatch, kind: Target) -> Sparse:
        if kind == ITEMS:
            history = batch.interactions if isinstance(batch, Dataset) else batch.history
            return valued(history.matrix(), self.config.weights)
        has = batch.user_matrix(kind) if isinstance(batch, Dataset) else batch.matrix(kind)
        block = valued(has, self.config.weights)
        block.data *= np.float32(self.config.tag_weight)
        return block

    def split(self, columns: Floats, data: Dataset) -> State:
        """Split the vectors of all columns, [columns, D], by target: target -> [N, D]."""
        ends = np.cumsum([data.size(kind) for kind in self.kinds])
        return dict(zip(self.kinds, np.split(columns, ends[:-1]), strict=True))


@contextmanager
def one_thread(component: str) -> Iterator[None]:
    """Check that implicit is installed, and limit BLAS to one thread while it trains.

    BLAS threads in addition to those of implicit slow it down, and a single thread makes fits reproducible. implicit is
    imported first, since threadpoolctl limits only libraries that are already loaded.
    """
    from threadpoolctl import threadpool_limits

    try:
        import implicit  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"component '{component}' needs the library implicit, which cannot be imported ({error}); {_INSTALL_HINT}"
        ) from error
    with threadpool_limits(limits=1, user_api="blas"):
        yield
