"""Plackett-Luce: slates drawn place by place, in proportion to the exponential of the score."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, Ints, Longs, Options, kernels
from hybridrec_rerank.policy import Chances, Policy
from hybridrec_rerank.pool_order import unit_range


class PlackettLuceOptions(Options):
    """Options of `plackett-luce`: the temperature of the draws, and the candidates among which it draws."""

    temperature: float = Field(0.1, gt=0)
    """Score difference that makes a candidate e = 2.7 times as likely as another one, where scores are scaled from 0 to
    1 among the candidates. Near 0 the best candidates come first; large values draw evenly."""
    depth: int = Field(100, ge=1)
    """Number of best candidates among which it draws."""


class PlackettLuce(Policy):
    """Policy that draws each place from the open candidates with probabilities softmax(score / temperature).

    Scores are scaled from 0 to 1 among the candidates considered. The model is that of Luce (1959) and Plackett (1975);
    a slate is drawn at once by sorting scores plus Gumbel noise (Yellott 1977; Kool, van Hoof and Welling 2019,
    "Stochastic Beams and Where to Find Them"). The probability of a slate is the product of its places' propensities.
    """

    name = "plackett-luce"
    Config = PlackettLuceOptions
    config: PlackettLuceOptions

    @property
    def depth(self) -> int:
        """The option `depth`, the number of best candidates among which it draws."""
        return self.config.depth

    def logits(self, scores: Floats) -> Doubles:
        """Return (score - 1) / temperature for scores scaled from 0 to 1: float64 [Q, D], -inf at padding."""
        return (unit_range(scores).astype(np.float64) - 1) / self.config.temperature

    def chances(self, scores: Floats) -> Chances:
        """Return the chances, a softmax over the open candidates."""
        return _Softmax(scores, self.logits(scores))

    def drawn(self, scores: Floats, ids: Ints, requests: tuple[str, ...], seed: int, n: int) -> Longs:
        """Return the drawn place of each candidate, int64 [Q, D]: the rank, from 0, of its logit plus Gumbel noise."""
        noise = -np.log(-np.log(kernels.keyed_draws(requests, ids, seed)))
        best_first = np.argsort(-(self.logits(scores) + noise), axis=1, kind="stable")
        return np.argsort(best_first, axis=1)


class _Softmax(Chances):
    """Chances in proportion to the exponentials of logits."""

    def __init__(self, scores: Floats, logits: Doubles) -> None:
        super().__init__(scores)
        self.logits = logits

    def of(self, place: int) -> Doubles:
        """Return the softmax of the logits of the open candidates: float64 [Q, D], 0 for the others.

        The largest open logit is subtracted first, so that the remaining weights cannot all underflow to 0.
        """
        left = np.where(self.open, self.logits, -np.inf)
        top = left.max(axis=1, keepdims=True)
        weights = np.exp(left - np.where(np.isfinite(top), top, 0))
        total = weights.sum(axis=1, keepdims=True)
        return weights / np.where(total > 0, total, 1)
