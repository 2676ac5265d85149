"""Planted variances of users, seeds and their interaction are found again."""

from __future__ import annotations

import numpy as np
import pytest

from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.evaluation.seed_variance import seed_splits, split, spreads


def planted(rng, repeats, users, seed, user, rest, mean=0.1):
    """float64 [N, U] with these standard deviations."""
    return (
        mean
        + rng.normal(0, seed, (repeats, 1))
        + rng.normal(0, user, (1, users))
        + rng.normal(0, rest, (repeats, users))
    )


def test_the_parts_are_recovered_on_average():
    rng = np.random.default_rng(1)
    repeats, users, seed, user, rest = 5, 200, 0.03, 0.2, 0.1
    mean_split = np.array([split(planted(rng, repeats, users, seed, user, rest))[:2] for _ in range(600)]).mean(axis=0)
    assert mean_split[0] == pytest.approx(user**2 / users + rest**2 / (repeats * users), rel=0.05)
    assert mean_split[1] == pytest.approx(seed**2 / repeats, rel=0.1)


@pytest.mark.parametrize(("seed", "user"), [(0.03, 0.2), (0.0, 0.2), (0.05, 0.05)])
def test_the_interval_covers_the_truth_for_new_users_and_seeds(seed, user):
    rng = np.random.default_rng(2)
    sample = Sample(np.arange(80, dtype=np.int32), np.ones(80), np.full(80, "items"))
    hits = 0
    for _ in range(400):
        gains = planted(rng, 4, 80, seed, user, 0.1)
        repeats = [
            {"c": EvaluatedArm("c", sample, {"m": np.zeros(80)}), "v": EvaluatedArm("v", sample, {"m": row})}
            for row in gains
        ]
        (seed_split,) = seed_splits(repeats, [("c", "v")], ["m"])
        hits += seed_split.ci95[0] < 0.1 < seed_split.ci95[1]
    assert 0.92 <= hits / 400 <= 0.99


def test_without_seeds_it_is_the_t_interval_of_the_users():
    values = np.tile(np.random.default_rng(3).normal(0.1, 1, 50), (3, 1))
    seed_split = split(values)
    assert seed_split.seeds == 0
    assert seed_split.degrees == 49
    assert seed_split.users == pytest.approx(values[0].var(ddof=1) / 50)


def test_weights_and_undefined_queries():
    rng = np.random.default_rng(4)
    units, weights = np.repeat(np.arange(100, dtype=np.int32), 2), np.tile([0.75, 0.25], 100)
    sample = Sample(units, weights, np.full(200, "items"))
    gains = planted(rng, 3, 200, 0.02, 0.1, 0.05)
    gains[1, :10] = np.nan
    repeats = [
        {
            "c": EvaluatedArm("c", sample, {"m": np.zeros(200)}, {"coverage@5": 0.5}),
            "v": EvaluatedArm("v", sample, {"m": row}, {"coverage@5": 0.1 * place}),
        }
        for place, row in enumerate(gains)
    ]
    (seed_split,) = seed_splits(repeats, [("c", "v")], ["m", "coverage@5"])
    expected = np.average(gains[:, 10:], weights=weights[10:], axis=1)
    assert seed_split.delta == pytest.approx(expected.mean())
    assert seed_split.seeds_share == pytest.approx(seed_split.seeds_variance / seed_split.standard_error**2)
    spread = spreads(repeats)["v"]
    assert spread["coverage@5"].values == [0, 0.1, 0.2]
    assert spread["coverage@5"].deviation == pytest.approx(0.1)


def test_one_user_gives_no_interval():
    sample = Sample(np.zeros(2, np.int32), np.ones(2), np.full(2, "items"))
    repeats = [
        {"c": EvaluatedArm("c", sample, {"m": np.zeros(2)}), "v": EvaluatedArm("v", sample, {"m": np.ones(2)})}
    ] * 2
    (seed_split,) = seed_splits(repeats, [("c", "v")], ["m"])
    assert (seed_split.delta, seed_split.ci95) == (1, None)
