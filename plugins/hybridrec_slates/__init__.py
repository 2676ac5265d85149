"""Slates of any system, which are judged by a file of relevant ids, compared, and blended like those of components."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command

    from hybridrec import Component, Reader, Segmenter, Splitter


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """`slate-file`, a component that takes candidates from a file."""
    from hybridrec_slates.component import Slates

    return [Slates]


@hookimpl
def hybridrec_readers() -> Sequence[type[Reader]]:
    """`qrels`, a reader of queries and their relevant ids."""
    from hybridrec_slates.qrels import QrelsReader

    return [QrelsReader]


@hookimpl
def hybridrec_splitters() -> Sequence[type[Splitter]]:
    """`judged`, a splitter that asks every query of the reader `qrels`."""
    from hybridrec_slates.judged import Judged

    return [Judged]


@hookimpl
def hybridrec_segmenters() -> Sequence[type[Segmenter]]:
    """`context`, a segmenter by a column of the request."""
    from hybridrec_slates.context import ContextSegmenter

    return [ContextSegmenter]


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`evaluate`, which compares slates of any systems."""
    from hybridrec_slates.evaluate import evaluate

    return [evaluate]
