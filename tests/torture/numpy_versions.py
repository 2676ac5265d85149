"""One experiment under the oldest and the newest numpy: `python -m tests.torture.numpy_versions` prints what differs.

An environment of its own gets hybridrec and the oldest numpy that it allows, and then, with all else unchanged, the
newest numpy of the index. Every component is a pipeline of its own, so that its slates are compared alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from hybridrec import Run
from tests.torture import determinism
from tests.torture.subject import CONFIG

ROOT = Path(__file__).parents[2]
PIP = ("-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:")


class Difference(NamedTuple):
    """Difference of the slates of a component: places with another item, and the largest difference of scores.

    score: largest difference of the scores of an item, as a share of the largest score of the component
    """

    component: str
    places: int
    score: float


def main() -> None:
    """Run the experiment under both versions, and print a row for each component."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        old, new = runs(folder)
        print(f"numpy {version(old)} and {version(new)}")
        for difference in differences(old, new):
            same = "identical" if not difference.places and not difference.score else ""
            print(
                f"{difference.component:14}",
                same or f"{difference.places} places, scores within {difference.score:.1e}",
            )


def runs(folder: Path) -> tuple[Run, Run]:
    """Return the runs with the oldest and with the newest numpy."""
    python = folder / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
    subprocess.run([python, *PIP, f"numpy=={oldest()}", "-e", f"{ROOT}[models]"], check=True)
    old = determinism.measured(folder / "oldest", determinism.Setting(), config(), python)
    subprocess.run([python, *PIP, "--upgrade", "numpy"], check=True)
    return old, determinism.measured(folder / "newest", determinism.Setting(), config(), python)


def oldest() -> str:
    """Return the oldest version of numpy that the project allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (version,) = re.findall(r"^numpy>=([\d.]+)$", "\n".join(project["dependencies"]), re.MULTILINE)
    return version + ".0" * (2 - version.count("."))


def config() -> dict[str, Any]:
    """Return the config of the matrix, with a pipeline for each component."""
    made = determinism.config()
    alone = {label: {"generators": [{"from": label, "k": 15}]} for label in made["components"]}
    return {**made, "pipelines": {**alone, **made["pipelines"]}, "compare": {**CONFIG["compare"], "control": "pop"}}


def version(run: Run) -> str:
    """Return the version of numpy with which a run was made."""
    return str(run.lock["environment"]["packages"]["numpy"])


def differences(old: Run, new: Run) -> list[Difference]:
    """Compare the slates of every pipeline of two runs of one experiment."""
    return [difference(name, old.slates(name), new.slates(name)) for name in old.report.pipelines]


def difference(name: str, old: pl.DataFrame, new: pl.DataFrame) -> Difference:
    """Compare the slates of one pipeline: the items by place, and the scores of the items that both have."""
    places = old.join(new, on=["query", "rank"], how="full", suffix="_new")
    both = old.join(new, on=["query", "id"], suffix="_new")
    largest = float(old["score"].abs().max() or 1.0)  # type: ignore[arg-type]
    apart = float((both["score"] - both["score_new"]).abs().max() or 0.0)  # type: ignore[arg-type]
    return Difference(name, places.filter(pl.col("id").ne_missing(pl.col("id_new"))).height, apart / largest)


if __name__ == "__main__":
    main()
