"""Components whose fits show what a worker costs: they wait, compute, or read their training part."""

import time
from pathlib import Path

import numpy as np

from hybridrec import DenseModel, Options, hookimpl


def multiply(products):
    """Compute so many products of matrices of 300 x 300."""
    left, right = np.full((2, 300, 300), 1 / 300)
    for _ in range(products):
        left = left @ right


class ProbeOptions(Options):
    """Options of all."""

    number: int = 0
    """Distinguishes fits."""
    seconds: float = 0.0
    """Time that a fit waits."""
    products: int = 0
    """Products of matrices that a fit computes."""
    store: str = ""
    """Folder of the store, whose mapped bytes are counted."""


class Waiting(DenseModel):
    """A component that waits."""

    name, targets, Config = "waiting", ("items",), ProbeOptions

    def fit(self, data, rng):
        """Wait."""
        time.sleep(self.config.seconds)
        return self.restore({"told": np.zeros(2)})

    def scores(self, queries, target):
        """Return zeros."""
        return np.zeros((len(queries), queries.width(target)), np.float32)

    def state(self):
        """Return the figures."""
        return {"told": self.told}

    def restore(self, state):
        """Take the figures."""
        self.told = state["told"]
        return self


class Computing(Waiting):
    """A component that computes."""

    name = "computing"

    def fit(self, data, rng):
        """Multiply matrices."""
        multiply(self.config.products)
        return self.restore({"told": np.zeros(2)})


class Mapping(Waiting):
    """A component that reads its whole training part, and tells the memory that the mapped part takes (Linux)."""

    name = "mapping"

    def fit(self, data, rng):
        """Read all interactions, wait for the others, and return proportional and resident bytes of mapped files."""
        data.interactions.ids.sum()
        Path(self.config.store, f"ready-{self.config.number}").touch()
        until = time.monotonic() + 60
        while len([*Path(self.config.store).glob("ready-*")]) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        bytes_of = {"Pss:": 0.0, "Rss:": 0.0}
        ours = False
        for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
            words = line.split()
            if "-" in words[0]:
                ours = self.config.store in line
            elif ours and words[0] in bytes_of:
                bytes_of[words[0]] += 1024 * float(words[1])
        time.sleep(2)  # the other one counts, too
        return self.restore({"told": np.array([*bytes_of.values()])})


@hookimpl
def hybridrec_components():
    """All."""
    return [Waiting, Computing, Mapping]
