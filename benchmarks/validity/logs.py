"""Accuracy of off-policy estimates on simulated logs whose true value is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.validity.population import Population
from hybridrec.errors import DataError
from hybridrec.evaluation.bandit_log import BanditLog
from hybridrec.evaluation.off_policy import ESTIMATORS, effective_size, totals
from hybridrec.evaluation.statistics import Totals, mean_intervals, standard_errors
from hybridrec.types import Doubles

SIZES = (200, 1000)
CLIPS = (None, 5.0)


def off_policy(population: Population, logs: int, rng: np.random.Generator, resamples: int) -> list[dict[str, Any]]:
    """Measure bias, error and coverage of every estimator over many simulated logs; return the rows.

    A log has n actions, one for each drawn user. An action is the arm of the run that serves the user; its reward is 1
    with the probability of the arm's metric for that user, else 0. The logging policy prefers some arms to others, the
    target policy prefers arms with a higher mean; both also depend on the user. The model of the reward predicts the
    mean of each arm, times 0.8.
    """
    reward = population.sums / population.weights
    noise = rng.normal(0, 0.5, reward.shape)
    logging = _softmax(rng.normal(0, 0.7, (len(reward), 1)) + noise)
    target = _softmax(8 * reward.mean(axis=1, keepdims=True) - 0.5 * noise)
    model = 0.8 * np.broadcast_to(reward.mean(axis=1, keepdims=True), reward.shape)
    truth = float((target * reward).sum(axis=0).mean())
    rows = []
    for n in SIZES:
        drawn, refused = [], 0
        for _ in range(logs):
            try:
                drawn.append(_log(reward, logging, target, model, n, rng))
            except DataError:
                refused += 1
        size = float(np.mean([effective_size(log.weights) for log in drawn]) / n)
        for clip in CLIPS:
            rows += [
                {"run": population.name, "actions": n, "effective": size, "refused": refused, "clip": clip, **row}
                for row in _judged([totals(log, clip) for log in drawn], truth, rng, resamples)
            ]
    return rows


def _softmax(scores: Doubles) -> Doubles:
    """Return the probabilities of the arms, [arms, U], as the softmax of their scores."""
    odds = np.exp(scores - scores.max(axis=0))
    return odds / odds.sum(axis=0)


def _log(
    reward: Doubles, logging: Doubles, target: Doubles, model: Doubles, n: int, rng: np.random.Generator
) -> BanditLog:
    """Draw a log of n users with replacement, each of whom is served by an arm that the logging policy draws."""
    users = rng.integers(0, reward.shape[1], n)
    arms = (np.cumsum(logging[:, users], axis=0) < rng.random(n)).sum(axis=0).clip(max=len(reward) - 1)
    return BanditLog(
        units=np.arange(n, dtype=np.int32),
        reward=(rng.random(n) < reward[arms, users]).astype(np.float64),
        propensity=logging[arms, users],
        target=target[arms, users],
        predicted=model[arms, users],
        expected=(target * model)[:, users].sum(axis=0),
    )


def _judged(parts: list[Totals], truth: float, rng: np.random.Generator, resamples: int) -> list[dict[str, Any]]:
    """Summarize the estimates of all logs in a row for each estimator; bias and error are relative to the truth."""
    width = len(ESTIMATORS)
    held = []
    for start in range(0, len(parts), 200):
        low, high = mean_intervals(Totals.join(parts[start : start + 200]), rng, resamples).T
        held.append(((low <= truth) & (truth <= high)).reshape(-1, width))
    estimates = np.array([log_totals.means for log_totals in parts])
    errors = np.array([standard_errors(log_totals) for log_totals in parts])
    spread = estimates.std(axis=0, ddof=1)
    return [
        {
            "estimator": name,
            "bias": estimates[:, e].mean() / truth - 1,
            "noise": spread[e] / truth / np.sqrt(len(parts)),
            "error": np.sqrt(np.mean((estimates[:, e] - truth) ** 2)) / truth,
            "stated error": errors[:, e].mean() / spread[e],
            "coverage": np.concatenate(held)[:, e].mean().item(),
        }
        for e, name in enumerate(ESTIMATORS)
    ]
