"""The plugin classes of the core, which are offered through the same hooks as the classes of other plugins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybridrec.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from hybridrec.data.readers.base import Reader
    from hybridrec.data.segments.base import Segmenter
    from hybridrec.data.splits.base import Splitter
    from hybridrec.engine.executor import ExecutorPlugin
    from hybridrec.evaluation.metrics import Metric
    from hybridrec.observers.base import Observer
    from hybridrec.runs.exporter import Exporter
    from hybridrec.stages.filter import Filter


@hookimpl
def hybridrec_readers() -> Sequence[type[Reader]]:
    """Readers of the user's own files and of the embedded data sets."""
    from hybridrec.data.readers.movietweetings import MovieTweetingsReader
    from hybridrec.data.readers.setlists import SetlistsReader
    from hybridrec.data.readers.table import TableReader

    return [TableReader, SetlistsReader, MovieTweetingsReader]


@hookimpl
def hybridrec_splitters() -> Sequence[type[Splitter]]:
    """Splitters that hold out users, interactions or items."""
    from hybridrec.data import splits

    return splits.SPLITTERS


@hookimpl
def hybridrec_filters() -> Sequence[type[Filter]]:
    """Filters by attributes, lists of ids, release dates, and by what the user had or dislikes."""
    from hybridrec.stages.attribute_filter import AttributeFilter
    from hybridrec.stages.item_filters import AllowFilter, BlockFilter, ReleasedFilter
    from hybridrec.stages.query_filters import QUERY_FILTERS

    return [AttributeFilter, AllowFilter, BlockFilter, ReleasedFilter, *QUERY_FILTERS]


@hookimpl
def hybridrec_segmenters() -> Sequence[type[Segmenter]]:
    """The segmenter by the fields that queries have."""
    from hybridrec.data.segments.known_fields import KnownFields

    return [KnownFields]


@hookimpl
def hybridrec_observers() -> Sequence[type[Observer]]:
    """The observer that writes lines of JSON."""
    from hybridrec.observers.jsonl import JsonLines

    return [JsonLines]


@hookimpl
def hybridrec_executors() -> Sequence[type[ExecutorPlugin]]:
    """Executors of threads and of processes."""
    from hybridrec.engine.executor import Threads
    from hybridrec.engine.process_executor import Processes

    return [Threads, Processes]


@hookimpl
def hybridrec_metrics() -> Sequence[type[Metric]]:
    """Metrics of accuracy, of novelty, diversity and coverage, and of revenue."""
    from hybridrec.evaluation import accuracy
    from hybridrec.evaluation import beyond_accuracy as beyond
    from hybridrec.evaluation.revenue import Revenue

    return [*accuracy.ACCURACY_METRICS, *beyond.BEYOND_METRICS, Revenue]


@hookimpl
def hybridrec_exporters() -> Sequence[type[Exporter]]:
    """Exporters of slates and truth for other evaluators, and of the split for models of other libraries."""
    from hybridrec.runs.export_split import SplitExporter
    from hybridrec.runs.export_trec import ParquetExporter, TrecExporter

    return [TrecExporter, ParquetExporter, SplitExporter]
