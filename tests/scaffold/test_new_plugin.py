"""New plugins of every kind pass their own tests, linters and types untouched, and overwrite nothing."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hybridrec import ConfigError, __version__
from hybridrec.registry.discovery import Registry
from hybridrec.scaffold import KINDS, LONGEST, new_plugin

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry()


def installed(*folders: Path) -> dict[str, str]:
    """The environment in which new distributions are installed, as far as Python can see; nothing is downloaded."""
    for folder in folders:
        package = folder.name.replace("-", "_")
        info = folder / "src" / f"{package}-0.1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {folder.name}\nVersion: 0.1.0\n")
        entry_point = f"{folder.name.removeprefix('hybridrec-')} = {package}"
        (info / "entry_points.txt").write_text(f"[hybridrec]\n{entry_point}\n")
    paths = os.pathsep.join(map(str, (*(folder / "src" for folder in folders), ROOT, ROOT / "plugins")))
    return os.environ | {"PYTHONPATH": paths, "MYPYPATH": str(ROOT)}


def python(*command: str, cwd: Path, env: dict[str, str]) -> str:
    """Run a module of Python, which must succeed, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> dict[str, Path]:
    """A new plugin of every kind: kind -> folder; tests share them."""
    parent = tmp_path_factory.mktemp("plugins")
    return {kind: new_plugin(f"my-{kind}", kind, parent, registry) for kind in KINDS}


def test_new_plugins_pass_their_own_tests(plugins: dict[str, Path]):
    """One process runs the tests of all: most of its time is the start."""
    parent = plugins["metric"].parent
    env = installed(*plugins.values())
    options = ("-q", "-rp", "-p", "no:cacheprovider", "-c", str(plugins["metric"] / "pyproject.toml"))
    printed = python("pytest", *options, f"--rootdir={parent}", *map(str, plugins.values()), cwd=parent, env=env)
    for folder in plugins.values():
        assert f"PASSED {folder.name}/tests/test_{folder.name.replace('-', '_')}.py" in printed


@pytest.mark.usefixtures("instant_imports")
@pytest.mark.parametrize("kind", KINDS)
def test_the_experiment_of_a_new_plugin_runs_and_its_checks_pass(
    kind: str, plugins: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, succeed
):
    folder = plugins[kind]
    installed(folder)
    monkeypatch.syspath_prepend(str(folder / "src"))
    assert "variant" in succeed("run", f"plugin:my-{kind}/example.yaml", cwd=tmp_path)
    for command in re.findall(r"^hybridrec (check-plugin .*)$", (folder / "README.md").read_text(), re.M):
        assert "failed" not in succeed(*shlex.split(command), cwd=folder)


@pytest.mark.parametrize("name", ["x", "a" * LONGEST])
def test_new_plugins_are_formatted_and_linted(name: str, tmp_path: Path, registry: Registry):
    for kind in KINDS:
        new_plugin(name, kind, tmp_path / kind, registry)
    for command in (("format", "--check"), ("check",)):
        python("ruff", *command, "--no-cache", ".", cwd=tmp_path, env=dict(os.environ))


SPARSE = '''\
"""A model with scipy, as nearly every one has it."""

from hybridrec import Sparse
from scipy import sparse


def doubled(matrix: Sparse) -> Sparse:
    """Return twice the matrix."""
    return sparse.csr_matrix(matrix + sparse.identity(matrix.shape[0]) @ matrix)
'''


@pytest.mark.slow
def test_new_plugins_have_strict_types(tmp_path: Path, registry: Registry):
    """One process checks all with the settings of one, which are those of each."""
    folders = [new_plugin(f"my-{kind}", kind, tmp_path, registry) for kind in KINDS]
    for folder in folders:
        (folder / "src" / folder.name.replace("-", "_") / "sparse.py").write_text(SPARSE)
    env = installed(*folders)
    env["MYPYPATH"] = os.pathsep.join(map(str, (ROOT, *(folder / "src" for folder in folders))))
    options = ("--follow-imports=silent", f"--cache-dir={ROOT / '.mypy_cache' / 'scaffold'}")
    sources = (str(folder / place) for folder in folders for place in ("src", "tests"))
    python("mypy", *options, f"--config-file={folders[0] / 'pyproject.toml'}", *sources, cwd=tmp_path, env=env)


@pytest.mark.parametrize("kind", KINDS)
def test_its_class_fits_on_a_screen(kind: str, tmp_path: Path, registry: Registry):
    folder = new_plugin("mood-music", kind, tmp_path, registry)
    module = kind.replace("-", "")
    tree = ast.parse((folder / f"src/hybridrec_mood_music/{module}.py").read_text())
    defined = [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    lines = {node.name: node.end_lineno - node.lineno + 1 for node in defined}
    assert lines["mood_music" if kind == "command" else f"MoodMusic{module.capitalize()}"] < 40


@pytest.mark.parametrize("kind", KINDS)
def test_all_kinds_have_the_same_files(kind: str, plugins: dict[str, Path]):
    folder, package = plugins[kind], f"hybridrec_my_{kind.replace('-', '_')}"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files >= {
        "pyproject.toml",
        "README.md",
        ".github/workflows/ci.yml",
        ".gitignore",
        f"src/{package}/__init__.py",
        f"src/{package}/example.yaml",
        f"src/{package}/py.typed",
        f"tests/test_{package}.py",
    }
    project = (folder / "pyproject.toml").read_text()
    assert f'my-{kind} = "{package}"' in project
    assert f'"hybridrec>={__version__}"' in project
    workflow = (folder / ".github/workflows/ci.yml").read_text()
    assert "${{ matrix.python }}" in workflow
    assert f"HYBRIDREC: ${{{{ vars.HYBRIDREC || 'hybridrec>={__version__}' }}}}" in workflow
    assert """pip install "$HYBRIDREC" -e '.[dev]'""" in workflow


@pytest.mark.parametrize("kind", KINDS)
def test_its_readme_names_a_page_that_is_there(kind: str, plugins: dict[str, Path]):
    (page,) = re.findall(r"`(docs/plugins/.*?\.md)`", (plugins[kind] / "README.md").read_text())
    assert (ROOT / page).is_file()


def test_nothing_is_overwritten(tmp_path: Path, registry: Registry):
    folder = new_plugin("mood-music", "metric", tmp_path, registry)
    readme = folder / "README.md"
    readme.write_text("mine")
    with pytest.raises(ConfigError, match="exists; nothing was written"):
        new_plugin("mood-music", "reader", tmp_path, registry)
    assert readme.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MoodMusic", "for example 'mood-music'"),
        ("mood_music", "for example 'mood-music'"),
        ("2nd try", "for example 'nd-try'"),
        ("../up", "for example 'up'"),
        ("", "is not a valid name"),
        ("a" * (LONGEST + 1), "31 characters"),
        ("ease", "a component 'ease' already"),
        ("ndcg", "a metric 'ndcg' already"),
        ("linear", "plugin 'linear' .* already has this name"),
    ],
)
def test_unfit_and_taken_names_are_refused(name: str, message: str, tmp_path: Path, registry: Registry):
    with pytest.raises(ConfigError, match=message):
        new_plugin(name, "generator", tmp_path, registry)
    assert not list(tmp_path.iterdir())


def test_the_prefix_of_the_distribution_may_be_typed(tmp_path: Path, registry: Registry):
    assert new_plugin("hybridrec-mood", "metric", tmp_path, registry).name == "hybridrec-mood"


@pytest.mark.parametrize(
    ("name", "kind", "wanted"),
    [
        ("archive-reader", "reader", "ArchiveReader"),
        ("archive", "reader", "ArchiveReader"),
        ("two-level-ranker", "re-ranker", "TwoLevelRanker"),
        ("calm-re-ranker", "re-ranker", "CalmReRanker"),
        ("business-metrics", "metric", "BusinessMetrics"),
        ("reader", "reader", "ReaderReader"),
    ],
)
def test_a_name_that_ends_in_its_kind_does_not_repeat_it(
    name: str, kind: str, wanted: str, tmp_path: Path, registry: Registry
):
    folder = new_plugin(name, kind, tmp_path, registry)
    module = kind.replace("-", "")
    text = (folder / "src" / folder.name.replace("-", "_") / f"{module}.py").read_text()
    assert f"class {wanted}(" in text
    assert f"class Test{wanted}(" in (folder / f"tests/test_{folder.name.replace('-', '_')}.py").read_text()


@pytest.mark.parametrize(("kind", "fuses"), [("re-ranker", "False"), ("fusion", "True")])
def test_a_re_ranker_reorders_and_a_fusion_fuses(kind: str, fuses: str, tmp_path: Path, registry: Registry):
    folder = new_plugin("calm", kind, tmp_path, registry)
    text = (folder / f"src/hybridrec_calm/{kind.replace('-', '')}.py").read_text()
    assert f"fuses = {fuses}" in text
    assert ("pool.fused()" in text) == (kind == "re-ranker")


@pytest.mark.slow
def test_new_plugins_of_every_kind_install_into_a_fresh_environment(tmp_path: Path, registry: Registry):
    """From an empty folder, as an outsider does it, with pip and from the wheels of the package index."""
    started = time.perf_counter()
    folders = {kind: new_plugin(f"my-{kind}", kind, tmp_path, registry) for kind in KINDS}
    programs = tmp_path / "venv" / "bin"
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env |= {"PIP_ONLY_BINARY": ":all:", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def shell(program: str | Path, *arguments: str | Path) -> str:
        done = subprocess.run([program, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    shell(sys.executable, "-m", "venv", programs.parent)
    shell(programs / "pip", "install", "-q", ROOT, *(f"{folder}[dev]" for folder in folders.values()))
    print(f"\ninstalled after {time.perf_counter() - started:.0f} s")
    listed = shell(programs / "hybridrec", "plugins")
    for kind, folder in folders.items():
        begun = time.perf_counter()
        assert f"my-{kind}" in listed
        assert " passed" in shell(programs / "pytest", "-q", folder)
        shell(programs / "mypy", "--config-file", folder / "pyproject.toml", folder / "src")
        assert "variant" in shell(programs / "hybridrec", "run", f"plugin:my-{kind}/example.yaml")
        print(f"{kind}: tests, types and experiment in {time.perf_counter() - begun:.0f} s")
