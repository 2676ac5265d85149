"""Batch call of RecTools on given ALS factors: `with_rectools_batch.py PAIRS.parquet FACTORS.npz PLACES REPEATS`.

The archive has `users` and `items`, the ids as texts, and `user_factors` and `item_factors`, a row for each of them.
"""

import sys

import job
import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import ImplicitALSWrapperModel

pairs, archive, places, repeats = sys.argv[1], np.load(sys.argv[2]), *map(int, sys.argv[3:])
frame = pd.read_parquet(pairs, columns=["user", "item"]).astype(str).drop_duplicates()
frame = frame.rename(columns={"user": Columns.User, "item": Columns.Item})
frame[Columns.Weight], frame[Columns.Datetime] = 1.0, np.datetime64("2020-01-01")
dataset = Dataset.construct(frame)


def arranged(kind, ids):
    """Return the factors in the order of these ids."""
    place = pd.Index(archive[f"{kind}s"]).get_indexer(ids)
    assert (place >= 0).all(), f"some {kind}s have no factors"
    return archive[f"{kind}_factors"][place]


als = AlternatingLeastSquares(factors=archive["item_factors"].shape[1], num_threads=1)
als.user_factors = arranged("user", dataset.user_id_map.external_ids)
als.item_factors = arranged("item", dataset.item_id_map.external_ids)
model = ImplicitALSWrapperModel(als, recommend_n_threads=1)
model.model, model.is_fitted = als, True
users = archive["users"]
model.recommend(users=users[:100], dataset=dataset, k=places, filter_viewed=True)
clock = job.Clock()
for number in range(repeats):
    slates = model.recommend(users=users, dataset=dataset, k=places, filter_viewed=True)
    clock.phase(number)
first = slates[slates[Columns.User].isin(users[:100])].groupby(Columns.User)[Columns.Item].agg(list)
job.told(clock, slates={user: first[user] for user in users[:100]})
