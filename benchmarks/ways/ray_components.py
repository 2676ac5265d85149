"""Components whose fits show what a worker costs: one that waits, and one that reads its training part."""

import time
from pathlib import Path

import numpy as np

from hybridrec import DenseModel, Options, hookimpl


class ProbeOptions(Options):
    """Options of both."""

    number: int = 0
    """Distinguishes fits."""
    seconds: float = 0.0
    """Time that a fit takes."""
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
    """Both."""
    return [Waiting, Mapping]
