"""Loss of `wmf` by each of its solvers on the concerts of the package, written to docs/factorization.md.

    python -m benchmarks.descent

The vectors of users are solved for exactly, so that the loss is the smallest one for the items that were learned. Times
are CPU time on one thread.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

from benchmarks.readme import ROOT, markdown, write
from hybridrec import Dataset
from hybridrec.data.readers.setlists import SetlistsOptions, SetlistsReader
from hybridrec_implicit.wmf import WMF

PAGE = ROOT / "docs" / "factorization.md"
FITS: tuple[dict[str, Any], ...] = (
    {"iterations": 15},
    {"iterations": 50},
    {"solver": "sgd", "iterations": 30},
    {"solver": "sgd", "iterations": 100},
    {"solver": "sgd", "iterations": 30, "learning_rate": 0.05},
    {"solver": "sgd", "iterations": 30, "learning_rate": 2},
    {"solver": "sgd", "iterations": 30, "negatives": 1},
    {"solver": "sgd", "iterations": 30, "negatives": 16},
)


def main() -> None:
    """Fit `wmf` with each set of options, and write the table."""
    data = SetlistsReader(SetlistsOptions(min_items=6)).read()
    rows = [["options", "loss", "seconds"], ["---"] * 3]
    for options in FITS:
        started = time.process_time()
        model = WMF(WMF.Config(**options)).fit(data, np.random.default_rng(1))
        seconds = time.process_time() - started
        told = ", ".join(f"`{key}: {value}`" for key, value in options.items())
        rows.append([told, f"{loss(model, data):,.0f}", f"{seconds:.1f}"])
    block = markdown(rows)
    print(block)
    write(PAGE, {"descent": block})


def loss(model: WMF, data: Dataset) -> float:
    """Compute the loss of a fitted model's items and of the users that are projected onto them."""
    config = model.config
    entries = data.interactions.matrix(binary=True)
    users = model.query_vectors(data.queries(np.arange(len(data.users), dtype=np.int32)), "items").astype(float)
    users, items = np.nan_to_num(users), np.nan_to_num(model.state()["items"]).astype(float)
    rows = np.repeat(np.arange(entries.shape[0]), np.diff(entries.indptr))
    scores = np.einsum("ij,ij->i", users[rows], items[entries.indices])
    everything = float(((users.T @ users) * (items.T @ items)).sum())
    observed = config.observed_weight * float(np.square(1 - scores).sum())
    unobserved = config.unobserved_weight * (everything - float(np.square(scores).sum()))
    lengths = float(np.square(users).sum() + np.square(items).sum())
    return observed + unobserved + config.gravity * everything + config.regularization * lengths


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        main()
