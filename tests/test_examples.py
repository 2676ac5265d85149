"""The example plugins, seen from outside: once installed they pass their tests, linters and types, and run."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/pyproject.toml"))


@pytest.fixture
def call(request: pytest.FixtureRequest, tmp_path: Path):
    """Runs a module where the example is installed, as far as Python can see."""
    folder: Path = request.getfixturevalue("example")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    entries = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["hybridrec"].items())
    (info / "entry_points.txt").write_text(f"[hybridrec]\n{entries}\n")
    paths = os.pathsep.join(map(str, (tmp_path, folder / "src", ROOT, ROOT / "plugins")))
    env = os.environ | {"PYTHONPATH": paths, "MYPYPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def run(*command: str, cwd: Path = folder) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_there_are_examples():
    assert [path.name for path in EXAMPLES] == ["hybridrec-long-tail", "hybridrec-m3u", "hybridrec-markov"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_passes_its_own_tests(example, call):
    assert " passed" in call("pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_formatted_linted_and_typed(example, call):
    call("ruff", "format", "--check", "--no-cache", ".")
    call("ruff", "check", "--no-cache", ".")
    call("mypy", "--follow-imports=silent", f"--cache-dir={ROOT / '.mypy_cache' / 'scaffold'}")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_config_it_ships_runs_by_its_name(example, call, tmp_path):
    name = example.name.removeprefix("hybridrec-")
    assert "variant" in call("hybridrec", "run", f"plugin:{name}/example.yaml", cwd=tmp_path)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_it_imports_the_public_api_alone(example):
    import hybridrec

    for file in (example / "src").rglob("*.py"):
        text = file.read_text()
        assert "import hybridrec." not in text
        for line in text.splitlines():
            if line.startswith("from hybridrec import"):
                names = [name.strip() for name in line.removeprefix("from hybridrec import").split(",")]
                assert set(names) <= set(hybridrec.__all__)
            assert not line.startswith("from hybridrec.")
