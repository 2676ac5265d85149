"""Epsilon-greedy: each place shows the best open candidate, or with a small probability any of them."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, Ints, Longs, Options, kernels
from hybridrec_rerank.policy import PLACES, Chances, Policy


class EpsilonGreedyOptions(Options):
    """Options of `epsilon-greedy`."""

    epsilon: float = Field(0.1, gt=0, le=1)
    """Probability with which a place shows any open candidate, all of them equally likely, instead of the best."""
    depth: int = Field(100, ge=1)
    """Number of best candidates among which it draws."""


class EpsilonGreedy(Policy):
    """Policy that shows the best open candidate at each place, or with probability epsilon any of them.

    The best one is among "any", so its probability is 1 - epsilon + epsilon / m with m candidates left, that of
    each other epsilon / m (Sutton and Barto, "Reinforcement Learning", section 2.2, place by place).
    """

    name = "epsilon-greedy"
    Config = EpsilonGreedyOptions
    config: EpsilonGreedyOptions

    @property
    def depth(self) -> int:
        """The option `depth`."""
        return self.config.depth

    def chances(self, scores: Floats) -> Chances:
        """Return epsilon spread over what is open, and the rest for the best of it."""
        return _Greedy(scores, self.config.epsilon)

    def drawn(self, scores: Floats, ids: Ints, requests: tuple[str, ...], seed: int, n: int) -> Longs:
        """Return the places of a walk: at each, the first open candidate, or that of the highest random number.

        Which candidates were taken says nothing of the order of the random numbers of the others, so each of these is
        equally likely to be the next.
        """
        queries, depth = scores.shape
        rows, order = np.arange(queries), np.tile(np.arange(depth), (queries, 1))
        there = scores > -np.inf
        luck = np.where(there, kernels.keyed_draws(requests, ids, seed), -1.0)
        explores = kernels.keyed_draws(requests, PLACES + np.arange(min(n, depth)), seed) < self.config.epsilon
        places = order + n
        for place in range(min(n, depth)):
            chosen = np.where(explores[:, place], luck.argmax(axis=1), there.argmax(axis=1))
            left = there[rows, chosen]
            places[rows[left], chosen[left]] = place
            there[rows, chosen], luck[rows, chosen] = False, -1.0
        return places


class _Greedy(Chances):
    """Chances of the first open candidate, and of all."""

    def __init__(self, scores: Floats, epsilon: float) -> None:
        super().__init__(scores)
        self.epsilon = epsilon

    def of(self, place: int) -> Doubles:
        """Return epsilon / m for each of the m open candidates, and 1 - epsilon more for the first."""
        left = self.open.sum(axis=1, keepdims=True)
        chances = np.where(self.open, self.epsilon / np.maximum(left, 1), 0.0)
        first = self.open.argmax(axis=1)
        rows = np.flatnonzero(left[:, 0])
        chances[rows, first[rows]] += 1 - self.epsilon
        return chances
