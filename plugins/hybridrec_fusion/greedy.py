"""Fusion by forward selection of columns, with replacement."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Doubles
from hybridrec_fusion.guard import GuardedConfig
from hybridrec_fusion.validation import Validation
from hybridrec_fusion.weights import SearchedWeights


class GreedyConfig(GuardedConfig):
    """How many columns are selected."""

    rounds: int = Field(25, ge=1)
    """Most columns in the ensemble, a column counted as often as it was selected."""


class Greedy(SearchedWeights):
    """Ensemble selection (Caruana, Niculescu-Mizil, Crew and Ksikes 2004): a mean of normalised scores.

    The ensemble begins empty. Each round adds the column that ranks the validation queries best together
    with those already there, also one that is there already; its weight is how often it was selected.
    Of the ensembles after each round the best one is kept. Selection without each part of the users, the
    mean over the parts and the guard are those of `validated`; there are far fewer ensembles than sets
    of weights, so there is less to overfit to.
    """

    name = "greedy"
    Config = GreedyConfig
    config: GreedyConfig

    def search(self, validation: Validation, starts: list[Doubles]) -> Doubles:
        """Select."""
        return select(validation, self.config.rounds, starts)


def select(validation: Validation, rounds: int, starts: list[Doubles]) -> Doubles:
    """The best of the ensembles after each round, and of `starts`: weights float64[L], the largest 1."""
    columns = np.eye(len(validation.columns))
    ensembles = list(starts)
    values = [validation.value(start) for start in starts]
    chosen = np.zeros(len(columns))
    for _ in range(rounds):
        trials = [validation.value(chosen + column) for column in columns]
        best = int(np.argmax(trials))
        chosen = chosen + columns[best]
        ensembles.append(chosen)
        values.append(trials[best])
    found = ensembles[int(np.argmax(values))]
    return found / found.max()
