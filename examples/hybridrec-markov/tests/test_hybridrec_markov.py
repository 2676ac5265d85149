"""`markov` keeps its contract, counts what follows what, and beats popularity on the next song."""

from itertools import pairwise
from pathlib import Path

import hybridrec
import numpy as np
from hybridrec.testing import ComponentContract, encode, toy_dataset

import hybridrec_markov
from hybridrec_markov.generator import Markov, MarkovOptions

EXAMPLE = Path(hybridrec_markov.__file__).with_name("example.yaml")


class TestMarkov(ComponentContract):
    component = Markov
    configs = ({}, {"smoothing": 0.1})
    learns_the_checkerboard = ("items",)


def test_scores_are_the_smoothed_shares_of_what_follows() -> None:
    data = toy_dataset()
    model = Markov(MarkovOptions(smoothing=1)).fit(data, np.random.default_rng(0))
    query = encode([hybridrec.Query(items=["item 02", "item 04"])], data)
    steps = [
        (int(before), int(after))
        for row in range(len(data.users))
        for history in [data.interactions.take(np.array([row])).ids]
        for before, after in pairwise(history)
    ]
    after_4 = [after for before, after in steps if before == 4]
    share = [sum(after == item for _, after in steps) / len(steps) for item in range(len(data.items))]
    expected = [(after_4.count(item) + share[item]) / (len(after_4) + 1) for item in range(len(data.items))]
    np.testing.assert_allclose(model.scores(query, "items")[0], expected, rtol=1e-5)


def test_the_example_runs(tmp_path: Path) -> None:
    report = hybridrec.run(EXAMPLE, store=tmp_path / "store", runs=tmp_path / "runs").report
    (row,) = [row for row in report.comparison if row.metric == "ndcg@20" and row.segment == "all"]
    assert row.verdict == "better", row
