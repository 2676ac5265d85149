"""Slates by a loop over each OF-th file: `with_loop.py NUMBER OF BUNDLE QUERIES SLATES PLACES ROWS`."""

import sys
from pathlib import Path

import pyarrow.parquet as pq

from hybridrec import BatchRecommender

if __name__ == "__main__":
    number, of, bundle, queries, slates, places, rows = sys.argv[1:]
    answer = BatchRecommender(bundle, n=int(places))
    Path(slates).mkdir(exist_ok=True)
    for file in sorted(Path(queries).iterdir())[int(number) :: int(of)]:
        writer = None
        for batch in answer(pq.ParquetFile(file).iter_batches(int(rows))):
            writer = writer or pq.ParquetWriter(Path(slates, file.name), batch.schema)
            writer.write_batch(batch)
        if writer:
            writer.close()
