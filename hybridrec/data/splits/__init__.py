"""The built-in splitters, the values of `split.use`."""

from hybridrec.data.splits.base import Splitter
from hybridrec.data.splits.cold_items import ColdItems
from hybridrec.data.splits.each_position import EachPosition
from hybridrec.data.splits.leave_one_out import LeaveOneOut
from hybridrec.data.splits.masked_users import Masked
from hybridrec.data.splits.predefined import PredefinedSplit
from hybridrec.data.splits.random import Random
from hybridrec.data.splits.temporal import Temporal

SPLITTERS: tuple[type[Splitter], ...] = (
    Masked,
    Random,
    LeaveOneOut,
    EachPosition,
    Temporal,
    PredefinedSplit,
    ColdItems,
)

__all__ = [
    "SPLITTERS",
    "ColdItems",
    "EachPosition",
    "LeaveOneOut",
    "Masked",
    "PredefinedSplit",
    "Random",
    "Temporal",
]
