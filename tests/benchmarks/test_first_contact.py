"""First contact with a small set: roles are found, and plain calls get what the queries of the run know."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks import first_contact
from benchmarks.first_contact import WAYS, DataFiles, Question, contact, ease, ndcg, own_counts


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
    assert result.plain.keys() == WAYS.keys() - {"own counts"}  # what is seen may not be shown
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


def question(rows, counts, *, seen=False):
    """Return plain matrices of users by items as a question."""
    rows, counts = (csr_matrix(np.array(matrix, np.float32)) for matrix in (rows, counts))
    return Question(rows, counts.sign(), counts, seen)


def test_own_counts_come_before_what_most_had():
    repeats = question([[1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0]], [[1, 0, 3, 0]], seen=True)
    assert own_counts(repeats).tolist() == [[2, 0, 1, 3]]
    assert own_counts(question([[1, 1]], [[0, 1]])) is None


def test_ease_is_the_same_by_users_and_by_items():
    rng = np.random.default_rng(1)
    histories = (rng.random((5, 12)) < 0.3).astype(np.float32)
    for users in (30, 7):
        rows = (rng.random((users, 12)) < 0.4).astype(np.float32)
        inverse = np.linalg.inv(rows.T @ rows + 500 * np.eye(12))
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        scores = np.where(histories > 0, -np.inf, histories @ weights)
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        assert ease(question(rows, histories))[:, :5].tolist() == expected.tolist()
