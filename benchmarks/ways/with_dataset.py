"""Reading of plays into a dataset: `with_dataset.py FOLDER ROWS` prints the cost; ROWS and more are read in blocks."""

import sys

import job
from threadpoolctl import threadpool_limits

from hybridrec.data.readers import row_blocks
from hybridrec.data.readers.table import TableReader
from hybridrec.engine.memory import PeakMemory

row_blocks.LONG = int(sys.argv[2])
columns = {"path": sys.argv[1], "user": "user", "item": "item", "time": "time"}
clock = job.Clock()
with threadpool_limits(limits=1), PeakMemory(interval=0.05) as peak:
    data = TableReader(TableReader.Config(interactions=columns)).read()
    clock.phase("read")
mapped = isinstance(data.interactions.ids.base, memoryview)  # of the file in which they were sorted
facts = {"mapped": mapped, "users": len(data.users), "items": len(data.items), "private": peak.bytes}
job.told(clock, fingerprint=data.fingerprint, **facts)
