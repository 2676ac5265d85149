"""Returns a class instead of a list."""

from hybridrec import Candidates, Generator, hookimpl


class Nothing(Generator):
    """Proposes nothing."""

    name = "alone"

    def fit(self, data, rng):
        return self

    def candidates(self, queries, k, target, exclude):
        return Candidates.empty(len(queries), k)

    def state(self):
        return {}

    def restore(self, state):
        return self


@hookimpl
def hybridrec_components():
    return Nothing
