"""The contract suites: inherit one, and a plugin's whole test class is three lines.

    class TestMine(ComponentContract):
        component = Mine
        configs = [{}, {"factors": 8}]

pytest collects it like any other test class; `hybridrec check-plugin` calls the same checks. The toy
dataset is a checkerboard (even users like even items, odd users odd ones), so what a component ought
to recommend is known.
"""

from hybridrec.data.encoding import encode as encode
from hybridrec.testing.components import ComponentContract as ComponentContract
from hybridrec.testing.contract import Contract as Contract
from hybridrec.testing.contract import Outcome as Outcome
from hybridrec.testing.contract import run_checks as run_checks
from hybridrec.testing.metrics import MetricContract as MetricContract
from hybridrec.testing.readers import ReaderContract as ReaderContract
from hybridrec.testing.rerankers import RerankerContract as RerankerContract
from hybridrec.testing.splitters import SplitterContract as SplitterContract
from hybridrec.testing.toys import colour_queries as colour_queries
from hybridrec.testing.toys import edge_datasets as edge_datasets
from hybridrec.testing.toys import toy_dataset as toy_dataset
from hybridrec.testing.toys import toy_queries as toy_queries
