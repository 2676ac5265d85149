"""The command line in a process of its own: its words, and an environment that sees a plugin."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def command(*arguments: object) -> list[str]:
    """Return the words that start the command line with these arguments."""
    return [sys.executable, "-m", "hybridrec", *map(str, arguments)]


def environment(plugin: Path) -> dict[str, str]:
    """Return the environment of a process that also imports what is in the folder of a plugin."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(plugin), *filter(None, sys.path)])}
