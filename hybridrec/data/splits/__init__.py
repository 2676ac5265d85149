"""The splitters: what `split.use` may say."""

from hybridrec.data.splits.masked import Masked

SPLITTERS = (Masked,)

__all__ = ["SPLITTERS", "Masked"]
