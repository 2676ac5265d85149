"""Fusion with weights found by coordinate ascent on validation queries."""

from __future__ import annotations

from itertools import product

import numpy as np

from hybridrec import Doubles
from hybridrec_fusion.validation import Validation
from hybridrec_fusion.weights import SearchedWeights

_STEPS = (1.0, 0.5, 0.25, 0.1, 0.05)


class Validated(SearchedWeights):
    """Weighted sum of normalised scores, with weights found by coordinate ascent on validation queries.

    The engine provides scores of components that have not seen the validation queries. The users of these queries are
    divided into parts, and each part is left out in turn. A search on the other parts starts at the best single column
    and changes one weight at a time, with decreasing steps, as long as the mean nDCG@k rises. The weights and the best
    single column are then compared on the part left out. The blend has the mean of the weights of all searches, overall
    and in each segment with enough queries. Where it was not better than the best single column, that column ranks.
    """

    name = "validated"
    version = "2"

    def search(self, validation: Validation, starts: list[Doubles]) -> Doubles:
        """Return the weights that coordinate ascent finds: float64[L], the largest 1."""
        return climb(validation, starts)


def climb(validation: Validation, starts: list[Doubles]) -> Doubles:
    """Search weights by coordinate ascent on nDCG@k: float64[L], the largest 1.

    The ascent begins at the best of `starts` and of the single columns.
    """
    starts = [*np.eye(len(validation.columns)), *starts]
    values = [validation.value(start) for start in starts]
    first = int(np.argmax(values))
    best, score = starts[first], values[first]
    for step in _STEPS:
        improved = True
        while improved:
            improved = False
            for position, move in product(range(len(best)), (step, -step)):
                trial = best.copy()
                trial[position] = max(best[position] + move, 0)
                if not trial.any() or trial[position] == best[position]:
                    continue  # without any weight there would be no order
                value = validation.value(trial)
                if value > score + 1e-9:
                    best, score, improved = trial, value, True
    return best / best.max()
