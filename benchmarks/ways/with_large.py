"""Reading, a short ALS and the best 100 for some users: `with_large.py PAIRS.parquet USERS` prints the cost."""

import sys

import implicit.cpu.als  # noqa: F401  (imports are nobody's time)
import job
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.timing import in_blocks
from hybridrec import PADDING
from hybridrec.data.readers.table import TableReader
from hybridrec.stages.pipeline import Filters
from hybridrec.stages.query_filters import SeenFilter
from hybridrec_implicit.als import ALS

clock = job.Clock()
with threadpool_limits(limits=1):
    columns = {"path": sys.argv[1], "user": "user", "item": "item"}
    data = TableReader(TableReader.Config(interactions=columns)).read()
    clock.phase("ingest")
    model = ALS(ALS.Config(factors=32, iterations=3, fields=("items",)))
    model.threads = job.THREADS
    model.fit(data, np.random.default_rng(0))
    clock.phase("fit")
    queries = data.queries(np.random.default_rng(1).permutation(len(data.users))[: int(sys.argv[2])].astype(np.int32))
    filters, short = Filters((SeenFilter(),)), []

    def ask(rows):
        """Find candidates for a block of queries."""
        batch = queries.take(rows)
        candidates = model.candidates(batch, job.TOP, "items", filters.exclude(batch, "items"))
        short.append(int((candidates.ids == PADDING).sum()))

    in_blocks(ask, len(queries), 512)()
    clock.phase("recommend")
job.told(clock, pairs=len(data.interactions.ids), users=len(data.users), items=len(data.items), short=sum(short))
