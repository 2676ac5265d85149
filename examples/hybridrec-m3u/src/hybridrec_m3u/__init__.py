"""The reader `m3u`, offered to hybridrec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Reader

requires_api = "1.0"


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """What this package offers; imported only here, so that listing plugins stays fast."""
    from hybridrec_m3u.reader import M3UReader

    return [M3UReader]
