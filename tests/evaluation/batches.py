"""Slates beside relevant ids from plain lists, and metrics by name."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.ragged import Ragged
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.evaluation.accuracy import ACCURACY_METRICS
from hybridrec.evaluation.beyond_accuracy import BEYOND_METRICS
from hybridrec.evaluation.metrics import EvalBatch, parse_metric
from hybridrec.stages import kernels

CLASSES = {metric.name: metric for metric in (*ACCURACY_METRICS, *BEYOND_METRICS)}


def dataset(histories, n_items, user_tags=None):
    n_tags = 0 if user_tags is None else len(user_tags[0])
    return Dataset(
        users=Vocabulary([f"u{n:04}" for n in range(len(histories))]),
        items=Vocabulary([f"i{n:04}" for n in range(n_items)]),
        tags=Vocabulary([f"t{n:04}" for n in range(n_tags)]),
        interactions=Ragged.from_rows(histories, n_items),
        titles=("",) * len(histories),
        item_text=("",) * n_items,
        declared_user_tags=empty_csr(len(histories), 0)
        if user_tags is None
        else csr_matrix(np.array(user_tags, np.float32)),
        declared_item_tags=empty_csr(n_items, n_tags),
        assignments=np.empty((0, 3), np.int32),
    )


def eval_batch(ids, relevant, n=10, train=None, target="items", candidate_items=None):
    """Slates (rows of ids, -1 padded) beside rows of relevant ids."""
    ids = np.array(ids, np.int32)
    truth = Ragged.from_rows(relevant, n).matrix(binary=True)
    train = dataset([[0]], n) if train is None else train
    return EvalBatch(target, ids, kernels.hits(ids, truth), truth, train, candidate_items)


def value(name, *args, **kwargs):
    measure = parse_metric(name, CLASSES)
    return measure.values(eval_batch(*args, **kwargs)).tolist()


def random_case(seed, queries=60, n=40, width=15):
    rng = np.random.default_rng(seed)
    ids = rng.permuted(np.tile(np.arange(n, dtype=np.int32), (queries, 1)), axis=1)[:, :width]
    ids[np.arange(width) >= rng.integers(0, width + 1, queries)[:, None]] = -1
    relevant = [rng.choice(n, rng.integers(0, 12), replace=False) for _ in range(queries)]
    return ids, relevant
