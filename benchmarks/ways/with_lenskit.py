"""ALS job with LensKit: `with_lenskit.py PAIRS.parquet`."""

import sys
from importlib.metadata import version

import job
import pandas as pd
from lenskit.als import ImplicitMFScorer
from lenskit.batch import recommend
from lenskit.data import ItemListCollection, from_interactions_df
from lenskit.metrics import NDCG, Recall, RunAnalysis
from lenskit.pipeline import topn_pipeline


def main():
    """Run the job in a guarded main, because LensKit recommends in processes that import this file."""
    clock = job.Clock()
    frame = pd.read_parquet(sys.argv[1]).rename(columns={"user": "user_id", "item": "item_id"})
    train, test = frame[frame["fold"] < 0].drop(columns="fold"), frame[frame["fold"] >= 0].drop(columns="fold")
    test = test[test["user_id"].isin(train["user_id"].unique())]
    data = from_interactions_df(train)
    clock.phase("read")
    scorer = ImplicitMFScorer(
        embedding_size=job.FACTORS, epochs=job.ITERATIONS, regularization=job.REGULARIZATION, weight=job.CONFIDENCE - 1
    )
    pipeline = topn_pipeline(scorer)
    pipeline.train(data)
    clock.phase("fit")
    users = test["user_id"].unique()
    slates = recommend(pipeline, users, n=job.TOP, n_jobs=job.THREADS)
    clock.phase("recommend")
    analysis = RunAnalysis()
    analysis.add_metric(NDCG(n=10), "ndcg")
    analysis.add_metric(Recall(n=job.TOP), "recall")
    means = analysis.measure(slates, ItemListCollection.from_df(test, ["user_id"])).list_summary()["mean"]
    clock.phase("metrics")
    facts = {"ndcg": float(means["ndcg"]), "recall": float(means["recall"])}
    job.told(clock, **facts, queries=len(users), version=version("lenskit"))


if __name__ == "__main__":
    main()
