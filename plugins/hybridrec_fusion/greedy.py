"""Fusion by forward selection of columns, with replacement."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hybridrec import Doubles
from hybridrec_fusion.guard import GuardedConfig
from hybridrec_fusion.validation import Validation
from hybridrec_fusion.weights import SearchedWeights


class GreedyConfig(GuardedConfig):
    """Options of `greedy`: the size of the ensemble, and the options of all guarded fusions."""

    rounds: int = Field(25, ge=1)
    """Largest number of columns in the ensemble; a column counts as often as it was selected."""


class Greedy(SearchedWeights):
    """Ensemble selection (Caruana, Niculescu-Mizil, Crew and Ksikes 2004): a mean of normalised scores.

    The ensemble begins empty. Each round adds the column that, together with the columns already selected, ranks the
    validation queries best. A column may be added again: its weight is the number of times it was selected. Of the
    ensembles after each round, the one that ranks best is kept. Cross-fitting over parts of the users, the mean over
    the parts and the guard are those of `validated`. There are far fewer ensembles than sets of weights, so there is
    less to overfit to.
    """

    name = "greedy"
    Config = GreedyConfig
    config: GreedyConfig

    def search(self, validation: Validation, starts: list[Doubles]) -> Doubles:
        """Return the weights that forward selection finds: float64[L], the largest 1."""
        return select(validation, self.config.rounds, starts)


def select(validation: Validation, rounds: int, starts: list[Doubles]) -> Doubles:
    """Return the weights, float64[L], the largest 1, that rank best of `starts` and the ensembles after each round."""
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
    chosen = ensembles[int(np.argmax(values))]
    return chosen / chosen.max()
