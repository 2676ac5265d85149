"""Offers a class that is not finished."""

from hybridrec import Generator, hookimpl


class Nothing(Generator):
    """Proposes nothing."""

    name = "unfinished"

    def fit(self, data, rng):
        return self

    def state(self):
        return {}

    def restore(self, state):
        return self


@hookimpl
def hybridrec_components():
    return [Nothing]
