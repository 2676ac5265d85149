"""Coverage of off-policy intervals on logs that the policies of hybridrec draw, with exactly known truth.

    python -m benchmarks.policies

Each of the simulated logs has one slate for each of 1,000 users; a reward is drawn with a known probability for each
user and item. The value of another policy is estimated from the log alone, and is known exactly from its propensities
for every slate. A 95 % interval should contain it in 93 to 97 % of the logs.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from threadpoolctl import threadpool_limits

from hybridrec import BanditLog, Bools, DataError, Doubles, Floats, Ints, Pool, QueryBatch, Ragged, Reranker, kernels
from hybridrec.data.dataset import Dataset
from hybridrec.evaluation.off_policy import ESTIMATORS, totals
from hybridrec.evaluation.statistics import Totals, mean_intervals
from hybridrec.testing import toy_dataset
from hybridrec_rerank.epsilon_greedy import EpsilonGreedy, EpsilonGreedyOptions
from hybridrec_rerank.plackett_luce import PlackettLuce, PlackettLuceOptions

LOGS, USERS, CANDIDATES, PLACES, SEED = 1000, 1000, 8, 2, 11


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of an estimator for a pair of policies.

    logged, policy: the policy that drew the logs, and the one whose value is estimated
    truth, mean: the true value, and the mean estimate
    held: share of the logs whose 95 % interval contains the true value
    """

    logged: str
    policy: str
    estimator: str
    truth: float
    mean: float
    held: float


def coverage(logs: int = LOGS, users: int = USERS, resamples: int = 1000) -> list[Coverage]:
    """Measure the coverage for pairs of policies, for each estimator that needs no model of the reward."""
    rng = np.random.default_rng(SEED)
    data = toy_dataset()
    # Relevance is what a model knows of the reward: the policies are neither right nor blind.
    chance = rng.beta(1, 4, (users, CANDIDATES))
    score = (chance + rng.normal(0, 0.15, chance.shape)).astype(np.float32)
    pool = _pool(score)
    policies = {
        "epsilon-greedy 0.5": _fitted(EpsilonGreedy(EpsilonGreedyOptions(epsilon=0.5)), data),
        "plackett-luce 0.5": _fitted(PlackettLuce(PlackettLuceOptions(temperature=0.5)), data),
        "plackett-luce 0.3": _fitted(PlackettLuce(PlackettLuceOptions(temperature=0.3)), data),
    }
    rows = []
    for logged, policy in (
        ("plackett-luce 0.5", "plackett-luce 0.3"),
        ("plackett-luce 0.5", "epsilon-greedy 0.5"),
        ("epsilon-greedy 0.5", "plackett-luce 0.5"),
    ):
        truth = _value(policies[policy], pool, chance)
        totals_of_logs = []
        for number in range(logs):
            with suppress(DataError):  # refused as implausible, once in a thousand times: its interval holds nothing
                log = _log(policies[logged], policies[policy], pool, chance, f"{logged} {number}", rng)
                totals_of_logs.append(totals(log))
        held = []
        for start in range(0, len(totals_of_logs), 200):
            low, high = mean_intervals(Totals.join(totals_of_logs[start : start + 200]), rng, resamples).T
            held.append(((low <= truth) & (truth <= high)).reshape(-1, totals_of_logs[0].sums.shape[1]))
        shares = np.concatenate(held).sum(axis=0) / logs
        means = np.mean([of_log.means for of_log in totals_of_logs], axis=0)
        rows += [
            Coverage(logged, policy, name, truth, float(mean), float(share))
            for name, mean, share in zip(ESTIMATORS, means, shares, strict=False)
        ]
    return rows


def _fitted(policy: Reranker, data: Dataset) -> Reranker:
    return policy.fit(data, np.random.default_rng(SEED))


def _pool(score: Floats) -> Pool:
    ids = np.tile(np.arange(score.shape[1], dtype=np.int32), (len(score), 1))
    return Pool("items", ids, ("model",), np.ones(ids.shape, np.uint64), {"model": score})


def _queries(users: int, log: str) -> QueryBatch:
    return QueryBatch(
        np.full(users, -1, np.int32),
        Ragged.empty(users, CANDIDATES),
        {},
        ("",) * users,
        ids=tuple(f"{log}/{user}" for user in range(users)),
    )


def _log(
    logged: Reranker, policy: Reranker, pool: Pool, chance: Doubles, name: str, rng: np.random.Generator
) -> BanditLog:
    """Draw a slate for each user from `logged`, and return its log: one row per place.

    The action of a row is the slate up to its place, with its probabilities under `logged` and under `policy`.
    """
    queries = _queries(len(chance), name)
    final = logged.rerank(queries, pool, PLACES).final
    assert final is not None
    ids = kernels.order(final, PLACES)  # the candidate of id i is in column i
    rewarded = rng.random(ids.shape) < np.take_along_axis(chance, ids, axis=1)
    mine, other = (_up_to(each, queries, pool, ids) for each in (logged, policy))
    units = np.repeat(np.arange(len(chance), dtype=np.int32), PLACES)
    return BanditLog(units, rewarded.astype(np.float64).ravel(), mine.ravel(), other.ravel())


def _up_to(policy: Reranker, queries: QueryBatch, pool: Pool, ids: Ints) -> Doubles:
    return np.cumprod(policy.propensities(queries, pool, ids).astype(np.float64), axis=1).clip(max=1)


def _value(policy: Reranker, pool: Pool, chance: Doubles) -> float:
    """Return the expected reward of a place: the sum over all slates of probability times mean chance of a reward."""
    queries, value = _queries(len(chance), ""), 0.0
    for slate in permutations(range(CANDIDATES), PLACES):
        ids = np.tile(np.array(slate, np.int32), (len(chance), 1))
        probability = _up_to(policy, queries, pool, ids)[:, -1]
        value += float((probability * chance[:, list(slate)].mean(axis=1)).mean())
    return value


def in_band(rows: list[Coverage]) -> Bools:
    """Return bool, parallel to `rows`: true if the coverage is from 93 to 97 %."""
    return np.array([0.93 <= row.held <= 0.97 for row in rows])


def main() -> None:
    """Print a table of all pairs; exit with 1 if a coverage is out of the band."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies", description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=int, default=LOGS, help="simulated logs of each pair (%(default)s)")
    asked = parser.parse_args()
    with threadpool_limits(limits=1):
        rows = coverage(asked.logs)
    print("| logged | estimated | estimator | true value | mean estimate | 95 % intervals that hold it |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        cells = (row.logged, row.policy, row.estimator, f"{row.truth:.4f}", f"{row.mean:.4f}", f"{row.held:.1%}")
        print("| " + " | ".join(cells) + " |")
    raise SystemExit(not in_band(rows).all())


if __name__ == "__main__":
    main()
