"""Contract suites, by which plugins are tested: a test class that derives from one of them takes three lines.

    class TestMine(ComponentContract):
        component = Mine
        configs = [{}, {"factors": 8}]

pytest collects it like any other test class, and `hybridrec check-plugin` runs the same checks. The toy dataset is a
checkerboard (even users like even items, odd users like odd ones), so that the right recommendations are known.
"""

from hybridrec.data.encoding import encode
from hybridrec.testing.commands import CommandContract
from hybridrec.testing.components import ComponentContract
from hybridrec.testing.contract import Contract, Outcome, PluginContract, run_checks
from hybridrec.testing.datasets import edge_datasets, parity_queries, toy_dataset, toy_queries
from hybridrec.testing.executors import ExecutorContract
from hybridrec.testing.exporters import ExporterContract
from hybridrec.testing.filters import FilterContract
from hybridrec.testing.metrics import MetricContract
from hybridrec.testing.normalisers import NormaliserContract
from hybridrec.testing.observers import ObserverContract
from hybridrec.testing.readers import ReaderContract
from hybridrec.testing.rerankers import RerankerContract
from hybridrec.testing.segmenters import SegmenterContract
from hybridrec.testing.splitters import SplitterContract

__all__ = [
    "CommandContract",
    "ComponentContract",
    "Contract",
    "ExecutorContract",
    "ExporterContract",
    "FilterContract",
    "MetricContract",
    "NormaliserContract",
    "ObserverContract",
    "Outcome",
    "PluginContract",
    "ReaderContract",
    "RerankerContract",
    "SegmenterContract",
    "SplitterContract",
    "edge_datasets",
    "encode",
    "parity_queries",
    "run_checks",
    "toy_dataset",
    "toy_queries",
]
