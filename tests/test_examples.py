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
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment in which the examples are installed, as far as Python can see: metadata are in the folder."""
    for folder in EXAMPLES:
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        name, version = project["name"], project["version"]
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        entries = "\n".join(f"{name} = {module}" for name, module in project["entry-points"]["hybridrec"].items())
        (info / "entry_points.txt").write_text(f"[hybridrec]\n{entries}\n")
    sources = (folder / "src" for folder in EXAMPLES)
    paths = os.pathsep.join(map(str, (tmp_path, *sources, ROOT, ROOT / "plugins")))
    return os.environ | {"PYTHONPATH": paths, "MYPYPATH": str(ROOT)}


def python(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    """Run a module of Python, which must succeed, and return what it prints."""
    words = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_examples():
    assert [path.name for path in EXAMPLES] == ["hybridrec-long-tail", "hybridrec-m3u", "hybridrec-markov"]


def test_examples_pass_their_own_tests(environment):
    """One process runs the tests of all, with the settings of the first, which are those of each."""
    settings = [tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["pytest"] for folder in EXAMPLES]
    assert settings == [settings[0]] * len(EXAMPLES)
    options = ("-q", "-rp", "-p", "no:cacheprovider", "-c", EXAMPLES[0] / "pyproject.toml", f"--rootdir={ROOT}")
    printed = python("pytest", *options, *EXAMPLES, cwd=ROOT, env=environment)
    for folder in EXAMPLES:
        assert f"PASSED examples/{folder.name}/tests/" in printed


def test_examples_are_formatted_and_linted():
    for command in (("format", "--check"), ("check",)):
        python("ruff", *command, "--no-cache", *EXAMPLES, cwd=ROOT)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_typed(example, environment):
    cache = f"--cache-dir={ROOT / '.mypy_cache' / 'examples'}"  # not that of tests that may run beside it
    python("mypy", "--follow-imports=silent", cache, cwd=example, env=environment)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_config_it_ships_runs_by_its_name(example, environment, succeed, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(example / "src"))
    name = example.name.removeprefix("hybridrec-")
    assert "variant" in succeed("run", f"plugin:{name}/example.yaml", cwd=tmp_path)


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
