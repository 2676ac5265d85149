"""The public API: every name and where it lives. `__init__.py` loads them lazily from this list."""

from .arrays import FIELDS as FIELDS
from .arrays import PADDING as PADDING
from .arrays import TARGETS as TARGETS
from .arrays import Bools as Bools
from .arrays import Doubles as Doubles
from .arrays import Field as Field
from .arrays import Floats as Floats
from .arrays import Ints as Ints
from .arrays import Longs as Longs
from .arrays import Sparse as Sparse
from .arrays import State as State
from .arrays import Target as Target
from .data.dataset import Dataset as Dataset
from .data.dataset import Features as Features
from .data.folds import Fold as Fold
from .data.folds import Splitter as Splitter
from .data.queries import Query as Query
from .data.queries import QueryBatch as QueryBatch
from .data.ragged import Ragged as Ragged
from .data.readers import Reader as Reader
from .data.vocabulary import Vocabulary as Vocabulary
from .errors import ConfigError as ConfigError
from .errors import DataError as DataError
from .errors import HybridrecError as HybridrecError
from .errors import MemoryBudgetError as MemoryBudgetError
from .errors import MissingDependencyError as MissingDependencyError
from .errors import PluginError as PluginError
from .errors import StoreError as StoreError
from .evaluation.metrics import Judged as Judged
from .evaluation.metrics import Metric as Metric
from .plugin import Options as Options
from .plugin import Plugin as Plugin
from .registry.hookspecs import hookimpl as hookimpl
from .stages import kernels as kernels
from .stages.component import Candidates as Candidates
from .stages.component import Component as Component
from .stages.component import DenseModel as DenseModel
from .stages.component import Exclude as Exclude
from .stages.component import Generator as Generator
from .stages.component import Reranker as Reranker
from .stages.component import Scorer as Scorer
from .stages.component import VectorModel as VectorModel
from .stages.pool import Pool as Pool
from .stages.pool import Slate as Slate

__version__: str
