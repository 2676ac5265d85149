"""Segmenters of queries by activity, by an attribute of users or items, and by time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Segmenter


@hookimpl
def hybridrec_segmenters() -> list[type[Segmenter]]:
    """`activity`, `attribute` and `time`."""
    from hybridrec_segments.activity import Activity
    from hybridrec_segments.attribute import Attribute
    from hybridrec_segments.query_time import QueryTime

    return [Activity, Attribute, QueryTime]
