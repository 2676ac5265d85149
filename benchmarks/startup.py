"""Duration of light commands relative to `python -c "import numpy"`: `python benchmarks/startup.py [RUN_OR_BUNDLE]`.

All are started in turn, so that other load on the machine affects them alike; the fastest start of each counts. A run
or a bundle is taken from the start of a process to its first slate, relative to the import of numpy, scipy.sparse and
pydantic (wanted: at most twice that), and the time of `load` alone is printed (wanted: at most 300 ms for the
quickstart's).
"""

from __future__ import annotations

import subprocess
import sys
import time

ROUNDS = 11
COMMANDS = {
    "import numpy": ["-c", "import numpy"],
    "hybridrec --help": ["-m", "hybridrec", "--help"],
    "hybridrec plugins": ["-m", "hybridrec", "plugins"],
}
SERVING = {
    "import scipy, pydantic": ["-c", "import numpy, scipy.sparse, pydantic"],
    "first slate": ["-m", "benchmarks.ways.first_slate"],
}


def seconds(arguments: list[str]) -> float:
    """Measure the wall time of a Python process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def fastest(commands: dict[str, list[str]]) -> dict[str, float]:
    """Return the fastest start of each command, all started in turn."""
    rounds = [{name: seconds(arguments) for name, arguments in commands.items()} for _ in range(ROUNDS)]
    return {name: min(taken[name] for taken in rounds) for name in commands}


def show(best: dict[str, float]) -> None:
    """Print each beside the first of them."""
    first = next(iter(best.values()))
    for name, taken in best.items():
        print(f"{name:22} {1000 * taken:6.0f} ms  {taken / first:5.2f} x")


if __name__ == "__main__":
    show(fastest(COMMANDS))
    for bundle in sys.argv[1:2]:
        base, served = SERVING.items()
        show(fastest(dict([base, (served[0], [*served[1], bundle])])))
        subprocess.run([sys.executable, *served[1], bundle], check=True)
