"""The numerical kernels of the engine: pure functions over blocks of queries.

In shapes, Q is the number of queries, N the number of ids in the vocabulary, D the dimension of vectors, and K the
number of candidates of a query; k is the number of best entries that a caller asks for. Ids are int32, padded with -1;
scores are float32, NaN where a score is missing. Ties go to the lower id, so results are the same on every machine.
"""

from hybridrec.stages.kernels.csr import csr_rows, dense_product, row_sums, strongest, take_columns, vector_sums
from hybridrec.stages.kernels.hashed_random import draws, keyed_draws
from hybridrec.stages.kernels.list_merge import merge
from hybridrec.stages.kernels.mips import Longest
from hybridrec.stages.kernels.products import cosines, gather_dot, pick, top_products
from hybridrec.stages.kernels.relevance import hits, ndcg
from hybridrec.stages.kernels.score_scales import min_max, ranks, zscore
from hybridrec.stages.kernels.topk import best, order, top_k

__all__ = [
    "Longest",
    "best",
    "cosines",
    "csr_rows",
    "dense_product",
    "draws",
    "gather_dot",
    "hits",
    "keyed_draws",
    "merge",
    "min_max",
    "ndcg",
    "order",
    "pick",
    "ranks",
    "row_sums",
    "strongest",
    "take_columns",
    "top_k",
    "top_products",
    "vector_sums",
    "zscore",
]
