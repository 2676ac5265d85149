"""`long-tail` keeps its contract and its rule, and shows other items than the control."""

from pathlib import Path

import hybridrec
import numpy as np
from hybridrec.testing import RerankerContract, encode, toy_dataset

import hybridrec_long_tail
from hybridrec_long_tail.reranker import LongTail, LongTailOptions

EXAMPLE = Path(hybridrec_long_tail.__file__).with_name("example.yaml")


class TestLongTail(RerankerContract):
    reranker = LongTail
    configs = ({}, {"head": 0.5, "most": 0})


def test_what_is_too_much_goes_behind_the_others_in_its_order() -> None:
    data = toy_dataset()
    model = LongTail(LongTailOptions(head=0.5, most=1)).fit(data, np.random.default_rng(0))
    users = data.interactions.matrix(binary=True).getnnz(axis=0)
    by_users = np.argsort(-users, kind="stable")
    ids = np.sort(np.concatenate([by_users[:3], by_users[-2:]])).astype(np.int32)[None, :]
    hit = np.isin(ids[0], by_users[:3])
    scores = np.where(hit, 10 + np.arange(5), np.arange(5)).astype(np.float32)[None, :]
    pool = hybridrec.Pool("items", ids, ("a",), np.ones(ids.shape, np.uint64), {"a": scores})
    final = model.rerank(encode([hybridrec.Query()], data), pool.ranked(scores), 5).final
    assert final is not None
    order = np.argsort(-final[0])
    assert hit[order].tolist() == [True, False, False, True, True]
    for group in (order[hit[order]], order[~hit[order]]):
        assert (np.diff(scores[0][group]) < 0).all()


def test_the_example_runs(tmp_path: Path) -> None:
    report = hybridrec.run(EXAMPLE, store=tmp_path / "store", runs=tmp_path / "runs").report
    control, variant = (
        report.pipelines[name].segments["all"].metrics["novelty@20"].mean for name in ("control", "variant")
    )
    assert control is not None
    assert variant is not None
    assert variant > control
