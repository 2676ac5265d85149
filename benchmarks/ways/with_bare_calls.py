"""ALS job by plain calls of polars, numpy, scipy and implicit: `with_bare_calls.py PAIRS.parquet`."""

import sys

import implicit.cpu.als
import job
import numpy as np
import polars as pl
from scipy.sparse import csr_matrix

clock = job.Clock()
frame = pl.read_parquet(sys.argv[1])
users, items = frame["user"].unique().sort(), frame["item"].unique().sort()
rows = frame["user"].cast(pl.Enum(users)).to_physical().to_numpy()
columns = frame["item"].cast(pl.Enum(items)).to_physical().to_numpy()
train = frame["fold"].to_numpy() < 0
shape = (len(users), len(items))
values = np.full(int(train.sum()), job.CONFIDENCE, np.float32)
histories = csr_matrix((values, (rows[train], columns[train])), shape=shape)
truth = csr_matrix((np.ones(int((~train).sum()), np.float32), (rows[~train], columns[~train])), shape=shape)
clock.phase("read")
model = implicit.cpu.als.AlternatingLeastSquares(
    factors=job.FACTORS,
    regularization=job.REGULARIZATION,
    iterations=job.ITERATIONS,
    random_state=0,
    num_threads=job.THREADS,
)
model.fit(histories, show_progress=False)
clock.phase("fit")
asked = np.flatnonzero((np.diff(truth.indptr) > 0) & (np.diff(histories.indptr) > 0))
ids, _ = model.recommend(asked, histories[asked], N=job.TOP)
clock.phase("recommend")
truth = truth[asked]
wanted = np.repeat(np.arange(len(asked)), np.diff(truth.indptr)) * len(items) + truth.indices
hits = np.isin(np.arange(len(asked))[:, None] * len(items) + ids, wanted)
discounts = 1 / np.log2(np.arange(2, 12))
ideal = np.cumsum(discounts)[np.minimum(np.diff(truth.indptr), 10) - 1]
ndcg = float(np.mean(hits[:, :10] @ discounts / ideal))
recall = float(np.mean(hits.sum(axis=1) / np.diff(truth.indptr)))
clock.phase("metrics")
job.told(clock, ndcg=ndcg, recall=recall, queries=len(asked))
