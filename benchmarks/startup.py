"""Duration of light commands relative to `python -c "import numpy"`: `python benchmarks/startup.py`.

All are started in turn, so that other load on the machine affects them alike; the fastest start of each counts.
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


def seconds(arguments: list[str]) -> float:
    """Measure the wall time of a Python process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    rounds = [{name: seconds(arguments) for name, arguments in COMMANDS.items()} for _ in range(ROUNDS)]
    best = {name: min(taken[name] for taken in rounds) for name in COMMANDS}
    for name, taken in best.items():
        print(f"{name:18} {1000 * taken:6.0f} ms  {taken / best['import numpy']:5.2f} x")
