"""Slates for a folder of queries by `mapInArrow` of Spark: `with_spark.py CORES BUNDLE QUERIES SLATES PLACES ROWS`."""

import sys

from pyspark.sql import SparkSession

from hybridrec import BatchRecommender

SLATES = "query string, place int, id string, score float, served_by string"
A_FILE = str(1 << 27)
"""Cost of opening a file, in bytes: as much as a task may read, so that each file is a task of its own."""

if __name__ == "__main__":
    cores, bundle, queries, slates, places, rows = sys.argv[1:]
    session = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", rows)
        .config("spark.sql.files.openCostInBytes", A_FILE)
        .config("spark.sql.files.maxPartitionBytes", A_FILE)
        .getOrCreate()
    )
    answer = BatchRecommender(bundle, n=int(places))
    session.read.parquet(queries).mapInArrow(answer, SLATES).write.parquet(slates)
    session.stop()
