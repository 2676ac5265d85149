"""The splitters: what `split.use` may say."""

from hybridrec.data.folds import Splitter
from hybridrec.data.splits.cold import ColdItems
from hybridrec.data.splits.masked import Masked
from hybridrec.data.splits.positions import EachPosition
from hybridrec.data.splits.warm import LeaveOneOut, PublishedFolds, Random, Temporal

SPLITTERS: tuple[type[Splitter], ...] = (
    Masked,
    Random,
    LeaveOneOut,
    EachPosition,
    Temporal,
    PublishedFolds,
    ColdItems,
)

__all__ = [
    "SPLITTERS",
    "ColdItems",
    "EachPosition",
    "LeaveOneOut",
    "Masked",
    "PublishedFolds",
    "Random",
    "Temporal",
]
