"""ALS job with RecTools: `with_rectools.py PAIRS.parquet`."""

import sys
from importlib.metadata import version

import job
import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from rectools import Columns
from rectools.dataset import Dataset
from rectools.metrics import NDCG, Recall, calc_metrics
from rectools.models import ImplicitALSWrapperModel

clock = job.Clock()
frame = pd.read_parquet(sys.argv[1]).rename(columns={"user": Columns.User, "item": Columns.Item})
frame[Columns.Weight], frame[Columns.Datetime] = job.CONFIDENCE, np.datetime64("2020-01-01")
train, test = frame[frame["fold"] < 0].drop(columns="fold"), frame[frame["fold"] >= 0].drop(columns="fold")
test = test[test[Columns.User].isin(train[Columns.User].unique())]
dataset = Dataset.construct(train)
clock.phase("read")
als = AlternatingLeastSquares(
    factors=job.FACTORS,
    regularization=job.REGULARIZATION,
    iterations=job.ITERATIONS,
    random_state=0,
    num_threads=job.THREADS,
)
model = ImplicitALSWrapperModel(als, recommend_n_threads=job.THREADS)
model.fit(dataset)
clock.phase("fit")
users = test[Columns.User].unique()
slates = model.recommend(users=users, dataset=dataset, k=job.TOP, filter_viewed=True)
clock.phase("recommend")
metrics = {"ndcg": NDCG(k=10, divide_by_achievable=True), "recall": Recall(k=job.TOP)}
values = calc_metrics(metrics, reco=slates, interactions=test)
clock.phase("metrics")
told = {name: float(value) for name, value in values.items()}
job.told(clock, **told, queries=len(users), version=version("rectools"))
