"""Forgets to mark its hook."""

from hybridrec import Candidates, Generator


class Nothing(Generator):
    """Proposes nothing."""

    name = "unmarked"

    def fit(self, data, rng):
        return self

    def candidates(self, queries, k, target, exclude):
        return Candidates.empty(len(queries), k)

    def state(self):
        return {}

    def restore(self, state):
        return self


def hybridrec_components():
    return [Nothing]
