"""Epsilon-greedy: each place shows the best or, with a small probability, any of the candidates not yet shown."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, Ints, Longs, Options, kernels
from hybridrec_rerank.policy import PLACES, Chances, Policy


class EpsilonGreedyOptions(Options):
    """Options of `epsilon-greedy`: the probability of a random candidate, and the candidates from which it is drawn."""

    epsilon: float = Field(0.1, gt=0, le=1)
    """Probability that a place is drawn evenly from the candidates not yet shown, instead of given to their best."""
    depth: int = Field(100, ge=1)
    """Number of best candidates among which it draws."""


class EpsilonGreedy(Policy):
    """Policy that puts the best open candidate at each place, or with probability epsilon a random open candidate.

    A candidate is open as long as it has no place. The random candidate may be the best one: of m open candidates the
    best gets the place with probability 1 - epsilon + epsilon / m, and each other one with probability epsilon / m
    (Sutton and Barto, "Reinforcement Learning", section 2.2, place by place).
    """

    name = "epsilon-greedy"
    Config = EpsilonGreedyOptions
    config: EpsilonGreedyOptions

    @property
    def depth(self) -> int:
        """The option `depth`, the number of best candidates among which it draws."""
        return self.config.depth

    def chances(self, scores: Floats) -> Chances:
        """Return the chances: epsilon is divided among the open candidates, and the best gets 1 - epsilon more."""
        return _Greedy(scores, self.config.epsilon)

    def drawn(self, scores: Floats, ids: Ints, requests: tuple[str, ...], seed: int, n: int) -> Longs:
        """Return the drawn place of each candidate, int64 [Q, D], from 0; candidates after the first n follow in order.

        Each place takes the first open candidate, or with probability epsilon the open candidate with the highest
        random number. The candidates taken so far say nothing about the order of the others' random numbers, so each
        open candidate is equally likely to have the highest.
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
    """Chances of epsilon-greedy: a small one for each open candidate, and the remaining probability for the first."""

    def __init__(self, scores: Floats, epsilon: float) -> None:
        super().__init__(scores)
        self.epsilon = epsilon

    def of(self, place: int) -> Doubles:
        """Return float64 [Q, D]: epsilon / m for each of m open candidates, and 1 - epsilon more for the first."""
        left = self.open.sum(axis=1, keepdims=True)
        chances = np.where(self.open, self.epsilon / np.maximum(left, 1), 0.0)
        first = self.open.argmax(axis=1)
        rows = np.flatnonzero(left[:, 0])
        chances[rows, first[rows]] += 1 - self.epsilon
        return chances
