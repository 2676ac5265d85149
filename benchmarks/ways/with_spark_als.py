"""The ALS of Spark on `train.parquet`: `with_spark_als.py CORES FACTORS ROUNDS ALPHA REGULARIZATION`, as JSON.

It writes the vectors of the items into the folder `items`.
"""

import json
import sys
import time

from pyspark.ml.feature import StringIndexer
from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession
from pyspark.sql.functions import col, lit

from benchmarks.processes import cpu_of_marked

if __name__ == "__main__":
    cores, factors, rounds = map(int, sys.argv[1:4])
    alpha, regularization = map(float, sys.argv[4:])
    session = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", cores)
        .getOrCreate()
    )
    plays = session.read.parquet("train.parquet")
    indexer = StringIndexer(inputCols=["user", "item"], outputCols=["u", "i"]).fit(plays)
    numbered = indexer.transform(plays).withColumn("plays", lit(1.0)).cache()
    numbered.count()
    als = ALS(userCol="u", itemCol="i", ratingCol="plays", implicitPrefs=True, seed=1)
    als = als.setRank(factors).setMaxIter(rounds).setAlpha(alpha).setRegParam(regularization)
    cpu, started = cpu_of_marked(), time.perf_counter()
    model = als.fit(numbered)
    model.itemFactors.count()
    told = {"wall": time.perf_counter() - started, "cpu": cpu_of_marked() - cpu}
    ids = numbered.select(col("i").cast("int").alias("number"), col("item").alias("id")).distinct()
    vectors = model.itemFactors
    ids.join(vectors, ids.number == vectors.id).select(ids.id, "features").write.parquet("items")
    session.stop()
    print(json.dumps(told))
