"""Gives scores of double precision."""

import numpy as np

from hybridrec import Candidates, Generator, hookimpl


class Broken(Generator):
    """Gives scores of double precision."""

    name = "wrong-dtype"

    def fit(self, data, rng):
        self.size = len(data.items)
        return self

    def candidates(self, queries, k, target, exclude):
        ids = np.tile(np.arange(k, dtype=np.int32), (len(queries), 1))
        scores = np.tile(np.linspace(1, 0, k, dtype=np.float32), (len(queries), 1))
        return Candidates(ids, scores.astype(np.float64))

    def state(self):
        return {"size": np.array(self.size)}

    def restore(self, state):
        self.size = int(state["size"])
        return self


@hookimpl
def hybridrec_components():
    return [Broken]
