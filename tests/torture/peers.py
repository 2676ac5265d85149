"""The same attacks on model files of other libraries: `python -m tests.torture.peers` prints their outcome.

implicit is attacked in this process, RecTools in an environment of its own, which `benchmarks` makes; there, nothing of
hybridrec is imported.
"""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_csr

from tests.torture.mutate import damaged

ROOT = Path(__file__).parents[2]
USERS, ITEMS, TOP = 60, 40, 8
DAMAGES, KILLS, UNKNOWN = 500, 40, 10


@dataclass(frozen=True)
class Peer:
    """A library with a model of ALS.

    model: a fitted model, which has `save`
    load: reads a model from a path
    ask: returns the items and scores for the first user
    factors: returns the factors of the items of a model, which may be changed
    hostile: writes a file that makes a folder at a path if it is unpickled
    """

    model: Any
    load: Callable[[Path], Any]
    ask: Callable[[Any], tuple[list[Any], list[float]]]
    factors: Callable[[Any], np.ndarray[Any, Any]]
    hostile: Callable[[Path, Path], None]


def implicit(plays: csr_matrix) -> Peer:
    """Return the ALS of implicit, whose files are archives of arrays (`.npz`)."""
    from implicit.cpu.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(8, iterations=2, num_threads=1, random_state=1)
    model.fit(plays, show_progress=False)

    def ask(model: Any) -> tuple[list[Any], list[float]]:
        items, scores = model.recommend(0, plays[0], TOP)
        return items.tolist(), scores.tolist()

    def hostile(path: Path, made: Path) -> None:
        array = np.array([Hostile(made)], object)
        with path.open("wb") as file:
            np.savez(file, item_factors=array, user_factors=array)

    return Peer(model, AlternatingLeastSquares.load, ask, lambda model: model.item_factors, hostile)


def rectools(plays: csr_matrix) -> Peer:
    """Return the ALS of implicit within RecTools, whose files are pickles."""
    import pandas as pd
    from implicit.cpu.als import AlternatingLeastSquares
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import ImplicitALSWrapperModel

    pairs = plays.tocoo()
    frame = pd.DataFrame({Columns.User: pairs.row, Columns.Item: pairs.col, Columns.Weight: pairs.data})
    dataset = Dataset.construct(frame.assign(**{Columns.Datetime: np.datetime64("2020-01-01")}))
    model = ImplicitALSWrapperModel(AlternatingLeastSquares(8, iterations=2, num_threads=1, random_state=1))
    model.fit(dataset)

    def ask(model: Any) -> tuple[list[Any], list[float]]:
        slate = model.recommend(users=[frame[Columns.User][0]], dataset=dataset, k=TOP, filter_viewed=True)
        return slate[Columns.Item].tolist(), slate[Columns.Score].tolist()

    def hostile(path: Path, made: Path) -> None:
        path.write_bytes(pickle.dumps(Hostile(made)))

    return Peer(model, ImplicitALSWrapperModel.load, ask, lambda model: model.model.item_factors, hostile)


class Hostile:
    """An object that makes a folder when it is unpickled."""

    def __init__(self, made: Path) -> None:
        """Name the folder."""
        self.made = made

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        """Return the call that unpickling makes."""
        return os.mkdir, (str(self.made),)


PEERS = {"implicit": implicit, "rectools": rectools}


def main() -> None:
    """Attack a peer in this process if one is named, else each in its environment."""
    if sys.argv[1:]:
        attack(sys.argv[1])
        return
    from benchmarks.peers import python

    for name, interpreter in (("implicit", sys.executable), ("rectools", python("rectools"))):
        print(name, flush=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run([interpreter, "-m", "tests.torture.peers", name], cwd=ROOT, env=environment, check=True)


def attack(name: str) -> None:
    """Damage model files, make one that runs code, kill processes that save one, and make factors unknown."""
    peer = PEERS[name](random_csr(USERS, ITEMS, 0.3, "csr", np.float32, random_state=1))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "als.npz"
        peer.model.save(path)
        print(f"  damaged {DAMAGES} times:", dict(damages(peer, path)))
        print("  a hostile pickle:", unpickled(peer, path))
        print(f"  killed {KILLS} times while saving:", dict(kills(peer, path)))
        print(f"  {UNKNOWN} items whose factors are NaN:", unknown(peer))


def damages(peer: Peer, path: Path) -> Counter[str]:
    """Count the outcomes of loading and asking damaged files; each file is read in a fork, since some end a process."""
    whole, expected, counts = path.read_bytes(), peer.ask(peer.load(path)), Counter[str]()
    for number in range(DAMAGES):
        path.write_bytes(damaged(whole, [whole[: len(whole) // 2]], random.Random(f"peer {number}")))
        counts[apart(lambda: outcome(peer, path, expected))] += 1
    path.write_bytes(whole)
    return counts


def outcome(peer: Peer, path: Path, expected: tuple[list[Any], list[float]]) -> str:
    """Load and ask a damaged file, and return a phrase on the outcome."""
    try:
        answer = peer.ask(peer.load(path))
    except Exception as error:
        return f"refused, the file {'named' if path.name in str(error) else 'not named'}"
    return "the same answer" if answer == expected else "ANOTHER ANSWER"


def apart(call: Callable[[], str]) -> str:
    """Call a function in a fork and return its result, or a phrase on the end of the fork."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(20)
        os.write(write, call().encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said or f"THE PROCESS ENDS WITH {os.waitstatus_to_exitcode(status)}"


def unpickled(peer: Peer, path: Path) -> str:
    """Load a file that makes a folder if it is unpickled, and return a phrase on the outcome."""
    whole, made = path.read_bytes(), path.with_name("made")
    peer.hostile(path, made)
    try:
        peer.load(path)
    except Exception as error:
        told = f"{type(error).__name__}: {str(error)[:60]}"
    else:
        told = "loaded"
    path.write_bytes(whole)
    return f"{'CODE WAS RUN' if made.exists() else 'no code was run'} ({told})"


def kills(peer: Peer, path: Path) -> Counter[str]:
    """Kill forks that save a model of some size over an older one, and count which models can still be loaded."""
    model, counts = peer.load(path), Counter[str]()
    inner = getattr(model, "model", model)
    inner.item_factors = np.ones((200_000, 16), np.float32)
    for number in range(KILLS):
        model.save(path)
        if (child := os.fork()) == 0:
            while True:
                model.save(path)
        time.sleep(random.Random(number).random() * 0.3)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            peer.load(path)
        except Exception as error:
            counts[f"no model is left ({type(error).__name__})"] += 1
        else:
            counts["a model is left"] += 1
    return counts


def unknown(peer: Peer) -> str:
    """Make the factors of the first items NaN, and return a phrase on the slate that follows."""
    peer.factors(peer.model)[:UNKNOWN] = np.nan
    try:
        items, scores = peer.ask(peer.model)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:60]}"
    return f"{int(np.isnan(scores).sum())} of {len(items)} scores of the slate are NaN"


if __name__ == "__main__":
    main()
