"""A plugin whose component does what the text of a query says: it sleeps, holds the interpreter, fails or ends."""

import ctypes
import os
import time

import numpy as np

from hybridrec import DenseModel, Reranker, hookimpl

SECONDS = 30
"""The time that a component takes which does not come back in time."""


def act(text):
    """Do what the text asks for."""
    if "sleep" in text:
        time.sleep(SECONDS)
    if "hold" in text:
        ctypes.PyDLL(None).sleep(SECONDS)  # unlike CDLL, it keeps the lock of the interpreter
    if "raise" in text:
        raise ZeroDivisionError("in a bad mood")
    if "exit" in text:
        os._exit(3)


class Moody(DenseModel):
    """Scores items by their number, unless its mood is bad."""

    name, targets = "moody", ("items",)

    def fit(self, data, rng):
        return self.restore({"scores": rng.random(len(data.items)).astype(np.float32)})

    def scores(self, queries, target):
        for text in queries.text:
            if not text.startswith("rule "):
                act(text)
        return np.tile(self.values, (len(queries), 1))

    def state(self):
        return {"scores": self.values}

    def restore(self, state):
        self.values = state["scores"]
        return self


class MoodyRule(Reranker):
    """Changes nothing, unless a query asks its rule for something."""

    name, targets, fuses = "moody-rule", ("items",), False

    def rerank(self, queries, pool, n):
        for text in queries.text:
            if text.startswith("rule "):
                act(text)
            if text == "rule nan":
                return pool.ranked(np.full(pool.ids.shape, np.nan, np.float32))
        return pool


@hookimpl
def hybridrec_components():
    return [Moody, MoodyRule]
