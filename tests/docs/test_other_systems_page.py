"""The recipes of docs/other-systems.md: each one is run, and gives the figures that the page shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks, python, words_of

PAGE = ROOT / "docs" / "other-systems.md"
SECONDS = 180
"""What the installs of all libraries may take, in sum; those that come later are skipped."""
SPENT: list[float] = []
"""The seconds of each install so far."""
CPU_TORCH = ["torch==2.13.0+cpu", "--extra-index-url", "https://download.pytorch.org/whl/cpu"]
"""What pip installs to get PyTorch without the gigabytes of CUDA; only its wheels for Linux have them."""
INSTALLS = {
    "rectools": [["rectools", "polars"]],
    "cornac": [["cornac", "polars"]],
    "lenskit": [*([CPU_TORCH] if sys.platform == "linux" else []), ["lenskit", "polars"]],
}
_ROW = re.compile(r"^(\w+) +(0\.\d+) ± [\d.]+ +(0\.\d+) ", re.M)
RECIPES = {block.mark.removeprefix("by_").partition(".")[0]: block for block in blocks(PAGE) if block.mark[:3] == "by_"}


def figures(table: str) -> dict[str, list[float]]:
    """The first row of each system in a printed table: [nDCG@20, recall@20]."""
    rows: dict[str, list[float]] = {}
    for system, *values in _ROW.findall(table):
        rows.setdefault(system, [float(value) for value in values])
    return rows


SHOWN = figures("\n".join(block.code for block in blocks(PAGE) if block.language == "text"))


@pytest.fixture
def shows(tmp_path: Path, succeed: Callable[..., str]) -> Path:
    """The folder with `split` and `slates`, in which the commands of the page before the verdict were run."""
    (config,) = (block.code for block in blocks(PAGE) if block.mark == "file")
    (tmp_path / "shows.yaml").write_text(config, encoding="utf-8")
    for line in commands()[0]:
        _, *words = words_of(line)
        succeed(*words, cwd=tmp_path)
    return tmp_path


def commands() -> list[list[str]]:
    """The lines of the two blocks of commands: those before the recipes, and the verdict."""
    return [block.code.splitlines() for block in blocks(PAGE) if (block.language, block.mark) == ("bash", "recipes")]


def judged(shows: Path, system: str, succeed: Callable[..., str]) -> dict[str, list[float]]:
    """The figures of our run and one system, by the command of the page without the other systems."""
    _, *words = shlex.split(commands()[1][0])
    others = {f"{name}.csv" for name in RECIPES if name != system}
    assert others <= set(words)
    return figures(succeed(*(word for word in words if word not in others), cwd=shows))


def test_every_recipe_has_its_row():
    assert RECIPES.keys() == {"sql", *INSTALLS}
    assert SHOWN.keys() == {"ease", *RECIPES}
    for block in RECIPES.values():
        assert len(block.code.splitlines()) <= 20
        if block.language == "python":
            compile(block.code, block.mark, "exec")


def test_the_recipe_in_sql_gives_the_figures_shown(shows, succeed):
    pytest.importorskip("duckdb")
    (shows / RECIPES["sql"].mark).write_text(RECIPES["sql"].code, encoding="utf-8")
    (script,) = (block.code for block in blocks(PAGE) if (block.language, block.mark) == ("python", "recipes"))
    python("-W", "error", "-c", script, cwd=shows)
    measured = judged(shows, "sql", succeed)
    for system in ("ease", "sql"):
        assert measured[system] == pytest.approx(SHOWN[system], abs=5e-4)


@pytest.mark.slow
@pytest.mark.parametrize("library", INSTALLS)
def test_the_recipe_of_a_library_gives_the_figures_shown(library: str, shows, succeed):
    """The library is installed into an environment of its own; where that fails, the test is skipped by name."""
    environment = shows / "environment"
    venv.create(environment)
    program = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    for packages in INSTALLS[library]:
        pip = [sys.executable, "-m", "pip", "--python", str(program)]
        install(library, [*pip, "install", "-q", "--no-compile", "--only-binary", ":all:", *packages])
    recipe = RECIPES[library]
    (shows / recipe.mark).write_text(recipe.code, encoding="utf-8")
    done = subprocess.run([program, recipe.mark], cwd=shows, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert judged(shows, library, succeed)[library] == pytest.approx(SHOWN[library], abs=5e-4)


def install(library: str, command: list[str]) -> None:
    """Run a command of pip, in what is left of `SECONDS`; skip the test, with the library's name, where it fails."""
    started = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(SECONDS - sum(SPENT), 1))
    except subprocess.TimeoutExpired:
        pytest.skip(f"{library} was not installed within the {SECONDS} s that all libraries have")
    finally:
        SPENT.append(time.monotonic() - started)
    if done.returncode:
        pytest.skip(f"{library} cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
