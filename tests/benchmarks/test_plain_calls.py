"""The plain calls that systems are measured beside do what they say, and each stands beside a system of its config."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack
from threadpoolctl import threadpool_limits

import hybridrec
from benchmarks.systems import plain
from benchmarks.systems.data import CONFIGS
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry

USERS, ITEMS = 12, 30


@pytest.fixture
def task() -> plain.Task:
    """Some plays, tags, and a hidden item for each of the first four users."""
    rng = np.random.default_rng(0)
    counts = csr_matrix(rng.poisson(0.4, (USERS, ITEMS)).astype(float))
    tags = csr_matrix(rng.poisson(0.3, (5, ITEMS)).astype(float))
    missing = [np.flatnonzero(row == 0)[0] for row in counts.toarray()[:4]]
    hidden = csr_matrix((np.ones(4), (range(4), missing)), shape=(4, ITEMS))
    return plain.Task(counts, tags, np.arange(4), hidden)


def best(task: plain.Task, scores: np.ndarray) -> list[list[int]]:
    """The ten best that a user does not have, one user after another."""
    has = task.counts.toarray() > 0
    return [[i for i in np.argsort(-scores[u]) if not has[u, i]][:10] for u in task.users]


def test_metrics_by_hand():
    hidden = csr_matrix(([1, 1, 1], ([0, 0, 1], [3, 5, 7])), shape=(2, 20))
    slates = np.array([[3, 0, 5, *range(8, 15)], [*range(8, 18)]])
    task = plain.Task(csr_matrix((2, 20)), csr_matrix((0, 20)), np.arange(2), hidden)
    ndcg = (1 + 1 / 2) / (1 + 1 / np.log2(3))
    np.testing.assert_allclose(plain.judge(task, slates), [[ndcg, 1, 1], [0, 0, 0]])


@pytest.mark.parametrize("tag_rows", [0.0, 0.5])
def test_ease_is_the_published_formula(task, tag_rows):
    rows = task.counts.log1p()
    if tag_rows:
        rows = vstack([rows, tag_rows * task.tags.log1p()])
    inverse = np.linalg.inv((rows.T @ rows).toarray() + 3 * np.eye(ITEMS))
    weights = np.eye(ITEMS) - inverse / np.diag(inverse)
    slates = plain.ease(plain.logs, 3, tag_rows)(task)
    assert slates.tolist() == best(task, task.counts.log1p().toarray() @ weights)


def test_rp3beta_is_three_steps_and_a_power_of_the_count(task):
    rows = task.counts.toarray()
    forth, back = rows / rows.sum(axis=1, keepdims=True), rows.T / np.maximum(rows.T.sum(axis=1, keepdims=True), 1e-12)
    walks = back**0.7 @ forth**0.7 * np.maximum((rows > 0).sum(axis=0), 1) ** -0.4
    np.fill_diagonal(walks, 0)
    slates = plain.rp3beta(csr_matrix.copy, 0.7, 0.4, ITEMS)(task)
    assert slates.tolist() == best(task, rows @ walks)


def test_neighbours_are_the_strongest():
    square = csr_matrix([[0.0, 3, 1], [2, 0, 5], [1, 4, 0]])
    assert plain.strongest(square, 1).toarray().tolist() == [[0, 3, 0], [0, 0, 5], [0, 4, 0]]


@pytest.mark.parametrize("way", [plain.popular(), plain.user_knn(3), plain.als(plain.mean_logs, factors=4)])
def test_slates_hold_nothing_that_a_user_has(task, way):
    with threadpool_limits(limits=1):  # as the command does; implicit warns of more
        slates = way(task)
    assert slates.shape == (4, 10)
    assert not task.counts.toarray()[task.users[:, None], slates].any()


def test_the_table_has_both_and_their_ratio(experiment):
    metrics = ("metrics: [ndcg@5, tags/ndcg@5]", "metrics: [ndcg@10, recall@10, hit-rate@10]")
    arms = hybridrec.run(experiment(metrics)).report.pipelines
    ours = arms["control"].metrics["ndcg@10"].mean
    ways = [(plain.Plain("twice", "control", plain.popular(), 0.068), np.array([2 * ours, 0.2, 0.3]))]
    *_, row = plain.table(arms, ways).splitlines()
    assert [cell.strip() for cell in row.split("|")][-3:] == ["0.500", "0.0680", ""]
    assert f"| twice | {2 * ours:.4f} | 0.2000 | 0.3000 | `control` | {ours:.4f} |" in row


@pytest.mark.parametrize("name", plain.WAYS)
def test_every_way_stands_beside_a_system(name):
    components = load_experiment(CONFIGS / f"{name}.yaml", Registry()).config.components
    assert {way.ours for way in plain.WAYS[name]()} <= components.keys()
