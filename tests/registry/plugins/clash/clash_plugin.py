"""Offers a component with the name of another one."""

from hybridrec import Candidates, Generator, hookimpl


class Ease(Generator):
    """Proposes nothing."""

    name = "ease"

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
    return [Ease]
