"""Registration of the reader `m3u` with hybridrec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Reader

requires_api = "1.0"


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """Return the readers of this package, imported only here so that listing plugins stays fast."""
    from hybridrec_m3u.reader import M3UReader

    return [M3UReader]
