"""Separate environments for the libraries that hybridrec is compared with, since their dependencies conflict."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {
    "ranx": ["ranx", "pandas<3"],
    "rectools": ["rectools", "implicit", "pyarrow<20"],
    "rectools-server": ["rectools", "implicit", "pyarrow<20", "starlette", "uvicorn[standard]"],
    "recotem": ["recotem"],
    "lenskit": ["lenskit", "pyarrow"],
}
NEEDS = {"recotem": (3, 12)}
"""The first version of Python on which a peer can be installed, where that is later than ours."""
CPU_TORCH = "https://download.pytorch.org/whl/cpu"
"""Index of wheels of torch, which LensKit needs, without the gigabytes of CUDA that those on PyPI require."""


class UnavailableError(Exception):
    """Peer that cannot be installed; the message gives the reason."""


def cache_folder() -> Path:
    """Return the folder of cached environments and data: `$HYBRIDREC_BENCHMARKS`, or one in the user's cache."""
    named = os.environ.get("HYBRIDREC_BENCHMARKS")
    return Path(named) if named else Path.home() / ".cache" / "hybridrec" / "benchmarks"


@cache
def python(peer: str) -> Path:
    """Return the interpreter of a peer's environment, created on first use; raises UnavailableError.

    A peer that needs a later Python than this one gets `python3.12` or the like from the search path.
    """
    version = max(sys.version_info[:2], NEEDS.get(peer, (3, 0)))
    name = ".".join(map(str, version))
    folder = cache_folder() / "peers" / f"{peer}-{name}"
    interpreter = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        if version == sys.version_info[:2]:
            venv.create(folder, with_pip=True)
        elif later := shutil.which(f"python{name}"):
            subprocess.run([later, "-m", "venv", str(folder)], check=True)
        else:
            raise UnavailableError(f"it needs python{name}, which is not on the search path")
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


def spark() -> dict[str, str] | None:
    """Return the environment in which Spark runs with the packages of this interpreter; None, with a note, without.

    An installation of this interpreter is taken, or that in the folder `$HYBRIDREC_SPARK`, which no other program sees:
    `pip install --target FOLDER pyspark`.
    """
    apart = os.environ.get("HYBRIDREC_SPARK", "")
    lacks = [] if find_spec("pyspark") or Path(apart, "pyspark").is_dir() else ["pyspark (or HYBRIDREC_SPARK)"]
    lacks += [] if shutil.which("java") else ["java"]
    if lacks:
        print(f"Spark is left out, as there is no {' and no '.join(lacks)}")
        return None
    paths = [str(Path(__file__).parent.parent), *filter(None, sys.path), *filter(None, [apart])]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
