"""`sql`, a reader of databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Reader


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """`sql`, a reader of queries and tables of databases."""
    from hybridrec_sql.reader import SqlReader

    return [SqlReader]
