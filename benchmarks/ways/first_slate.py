"""Time from the start of a process to its first slate: `python -m benchmarks.ways.first_slate RUN_OR_BUNDLE`."""

from __future__ import annotations

import sys
import time

from hybridrec import Query, load

TRAINING = ("gensim", "implicit", "lightfm", "lightgbm", "sklearn", "optuna", "polars")


def main(path: str) -> None:
    """Load a run or bundle, ask two queries, and print the durations and the libraries that were imported."""
    times = [time.perf_counter()]
    recommender = load(path)
    times.append(time.perf_counter())
    for item in recommender.data.items.vocabulary.packed[:2]:
        recommender.recommend(Query(items=[item]))
        times.append(time.perf_counter())
    for name, start, end in zip(("load", "first slate", "second slate"), times, times[1:], strict=False):
        print(f"{name:22} {1000 * (end - start):6.1f} ms")
    print("libraries of training:", ", ".join(name for name in TRAINING if name in sys.modules) or "none")


if __name__ == "__main__":
    main(sys.argv[1])
