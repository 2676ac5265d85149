"""First contact with a small set: roles are found, and plain calls get what the queries of the run know."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks import first_contact
from benchmarks.first_contact import WAYS, DataFiles, contact, ndcg


@pytest.fixture
def plays(tmp_path, monkeypatch):
    """A file of plays by two groups of users."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    rows = {(user, 2 * item + user % 2) for user in range(60) for item in rng.integers(0, 20, 12)}
    lines = ["user,song", *(f"u{user},s{song}" for user, song in sorted(rows))]
    (tmp_path / "plays.csv").write_text("\n".join(lines))
    return tmp_path


def test_all_ways_answer_the_same_queries(plays):
    pytest.importorskip("implicit")
    result = contact("plays", DataFiles(("plays.csv",), "user", "song", None, "random"), plays)
    assert result.roles
    assert {len(values) for values in result.plain.values()} == {len(result.ours)}
    assert result.plain.keys() == WAYS.keys()
    assert result.ours.mean() > result.plain["popularity"].mean()
    assert result.row()[:3] == ["plays", f"{len(result.ours)}", "yes"]


def test_wrong_roles_are_told(plays):
    content = {"data": {"reader": "table", "interactions": {"user": "a", "item": "b"}}, "split": {"use": "random"}}
    assert not first_contact._right(content, DataFiles((), "b", "a", None, "random"))
    assert first_contact._right({"data": {"reader": "movielens"}}, DataFiles(()))


def test_ndcg_by_hand():
    truth = csr_matrix(([1.0, 1.0], ([0, 0], [3, 5])), shape=(1, 20))
    ids = np.array([[3, 0, 5, 1, 2, 4, 6, 7, 8, 9]], np.int32)
    assert ndcg(ids, truth)[0] == pytest.approx((1 + 1 / 2) / (1 + 1 / np.log2(3)))
