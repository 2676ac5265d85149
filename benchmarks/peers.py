"""Environments of their own for the libraries hybridrec is measured against: they share no dependency with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

PACKAGES = {
    "ranx": ["ranx", "pandas<3"],
    "rectools": ["rectools", "implicit", "pyarrow<20"],
    "lenskit": ["lenskit", "pyarrow"],
}
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
"""LensKit needs torch, whose wheels on PyPI bring gigabytes of CUDA with them; those from here do not."""


class UnavailableError(Exception):
    """A peer cannot be installed; the message says why."""


def cache_folder() -> Path:
    """Where environments and generated data stay from run to run: `$HYBRIDREC_BENCHMARKS`, or in the user's cache."""
    named = os.environ.get("HYBRIDREC_BENCHMARKS")
    return Path(named) if named else Path.home() / ".cache" / "hybridrec" / "benchmarks"


@cache
def python(peer: str) -> Path:
    """The interpreter of a peer's environment, made when first asked for; raises UnavailableError."""
    folder = cache_folder() / "peers" / f"{peer}-{sys.version_info.major}.{sys.version_info.minor}"
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        if peer == "lenskit":
            _install(interpreter, "torch", "--index-url", CPU_TORCH)
        _install(interpreter, *PACKAGES[peer])
        (folder / "complete").touch()
    return interpreter


def _install(interpreter: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(interpreter), "-m", "pip", "install", "-q", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
        raise UnavailableError(f"pip install {' '.join(arguments)}: {last}")
