"""The same attacks on a model file of implicit: `python -m tests.torture.peers` prints their outcome."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.sparse import random as random_csr

from tests.torture.damage import damaged


def main() -> None:
    """Damage files of an ALS model of implicit, make one of Python objects, and kill processes that save one."""
    from implicit.cpu.als import AlternatingLeastSquares

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "als.npz"
        plays = random_csr(60, 40, 0.3, "csr", np.float32, random_state=1)
        model = AlternatingLeastSquares(8, iterations=2, num_threads=1, random_state=1)
        model.fit(plays, show_progress=False)
        model.save(path)
        print("damaged 500 times:", dict(damages(AlternatingLeastSquares, path, plays)))
        print("a file of Python objects:", pickled(AlternatingLeastSquares, path))
        print("killed 40 times while saving:", dict(kills(AlternatingLeastSquares, path)))


def damages(cls: type, path: Path, plays: object) -> Counter[str]:
    """Count the outcomes of loading and asking damaged files."""
    whole = path.read_bytes()
    expected = [each.tolist() for each in cls.load(path).recommend(0, plays[0], 8)]  # type: ignore[attr-defined, index]
    counts: Counter[str] = Counter()
    for number in range(500):
        path.write_bytes(damaged(whole, [whole[: len(whole) // 2]], random.Random(f"peer {number}")))
        try:
            answer = [each.tolist() for each in cls.load(path).recommend(0, plays[0], 8)]  # type: ignore[attr-defined, index]
        except Exception as error:
            counts[f"{type(error).__name__}, the file {'named' if path.name in str(error) else 'not named'}"] += 1
        else:
            counts["the same answer" if answer == expected else "ANOTHER ANSWER"] += 1
    path.write_bytes(whole)
    return counts


def pickled(cls: type, path: Path) -> str:
    """Load a file with an array of Python objects, and describe the outcome."""
    whole = path.read_bytes()
    with path.open("wb") as file:
        np.savez(file, item_factors=np.array([{}], object), user_factors=np.array([{}], object))
    try:
        cls.load(path)  # type: ignore[attr-defined]
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:60]}"
    finally:
        path.write_bytes(whole)
    return "loaded"


def kills(cls: type, path: Path) -> Counter[str]:
    """Kill forks that save a model of some size over an older one, and count which models can still be loaded."""
    model = cls.load(path)  # type: ignore[attr-defined]
    model.item_factors = np.ones((200_000, 16), np.float32)
    counts: Counter[str] = Counter()
    for number in range(40):
        model.save(path)
        if (child := os.fork()) == 0:
            while True:
                model.save(path)
        time.sleep(random.Random(number).random() * 0.3)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            cls.load(path)  # type: ignore[attr-defined]
        except Exception as error:
            counts[f"no model is left ({type(error).__name__})"] += 1
        else:
            counts["a model is left"] += 1
    return counts


if __name__ == "__main__":
    main()
