"""The user-by-column matrix that the models learn from: items and optionally tags are the columns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, hstack

from hybridrec import (
    TARGETS,
    Component,
    Dataset,
    Floats,
    MissingDependencyError,
    Options,
    Ragged,
    Sparse,
    State,
    Target,
    Values,
    valued,
)

_INSTALL_HINT = "pip install 'hybridrec[implicit]'"


class ColumnOptions(Options):
    """Options for the columns and their values."""

    fields: tuple[Target, ...] = Field(("items", "tags"), min_length=1)
    """`[items]`, or `[items, tags]`: both are learned jointly, so that tags predict items and items predict tags."""
    weights: Values = "binary"
    """Value w of an interaction or tag: 1, log(1 + its weight), or its weight; the latter two over the mean of their
    row."""
    tag_weight: float = Field(1.0, gt=0)
    """Factor on the values of tags."""


class ColumnModel(Component):
    """Model of the user-by-column matrix; it folds in any user from the history and tags of the query."""

    requires = ("implicit",)
    install_hint = _INSTALL_HINT
    folds_in = True
    config: ColumnOptions

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self.needs = frozenset(self.config.fields)
        self.targets = tuple(target for target in TARGETS if target in self.config.fields)

    def matrix(self, history: Ragged, tags: Sparse) -> Sparse:
        """Build csr float32 [rows, columns] of users or queries, from their items and tags."""
        values = self.config.weights
        blocks = {"items": valued(history.matrix(), values), "tags": valued(tags, values)}
        blocks["tags"].data *= np.float32(self.config.tag_weight)
        filled = [blocks[target] for target in self.targets if blocks[target].shape[1]]
        if len(filled) == 1:  # a single block needs no hstack, and no copy
            return filled[0]
        return csr_matrix(hstack([blocks[target] for target in self.targets], format="csr", dtype=np.float32))

    def split(self, columns: Floats, data: Dataset) -> State:
        """Split [columns, D], one row per column, into the rows of each target."""
        widths = {"items": len(data.items), "tags": len(data.tags)}
        ends = np.cumsum([widths[target] for target in self.targets])
        return dict(zip(self.targets, np.split(columns, ends[:-1]), strict=True))


@contextmanager
def one_thread(component: str) -> Iterator[None]:
    """Check that implicit is installed, and limit BLAS to one thread while it trains.

    Several BLAS threads below implicit's own slow it down, and one thread makes fits reproducible. threadpoolctl
    limits only libraries that are already loaded, hence the import first.
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
