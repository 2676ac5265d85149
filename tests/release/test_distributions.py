"""Published distributions install and work: `pytest -m release`, with `pip install -e '.[release]'`; some minutes.

The distributions are built once, and installed into fresh environments from the package index's wheels.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.release
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODELS = {
    "word2vec": ["word2vec"],
    "implicit": ["als"],
    "lightfm": ["lightfm"],
    "all": ["word2vec", "als", "lightfm"],
}
"""The extras that bring models, and components that need them."""
OTHERS = ("ann", "lightgbm", "tune", "sentencepiece", "korean", "mlflow", "serve", "sql", "map", "docs")
"""The other extras: they install, and harm no plugin."""
CONFIG = """\
name: released
data: {reader: setlists, min_items: 20}
split: {use: masked}
components: {popularity: {}, ease: {}}
pipelines:
  control: {generators: [{from: popularity}], fallback: [tag-fallback, popularity]}
  variant: {generators: [{from: ease}], fallback: [tag-fallback, popularity]}
compare: {control: control}
"""


def shell(*command: str | Path, cwd: Path = ROOT, timeout: int = 900, **variables: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | variables
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, built from the sdist as an index's users would, and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    shell(sys.executable, "-m", "build", "--outdir", folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def metadata(built: tuple[Path, Path]) -> Message:
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_string(wheel.read(name).decode())


def installed(folder: Path, wanted: str, python: str = sys.executable) -> Path:
    """The programs of a fresh environment in which a requirement is installed."""
    shell(python, "-m", "venv", folder)
    shell(folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", wanted)
    return folder / "bin"


@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "x86_64-pc-windows-msvc"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_extra_of_all_and_dev_resolves_to_wheels(python: str, platform: str, tmp_path: Path):
    lock = tmp_path / "lock.txt"
    where = ("--python-version", python, "--python-platform", platform, "--only-binary", ":all:", "-o", lock)
    shell(sys.executable, "-m", "uv", "pip", "compile", "-q", "pyproject.toml", "--extra", "dev", *where)
    locked = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))
    assert ("gensim" in locked) == (python != "3.14")
    assert ("lightfm-next" in locked) == (python != "3.14" and platform.startswith("x86_64-manylinux"))
    assert ("ir-measures" in locked) == (platform != "aarch64-manylinux_2_28")
    assert {"implicit", "lightgbm", "faiss-cpu", "optuna", "pytest"} <= locked.keys()


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_other_pythons_install_and_run_it(version: str, built: tuple[Path, Path], tmp_path: Path):
    python = f"python{version}"
    if not shutil.which(python) or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{python} is not installed")
    programs = installed(tmp_path / "venv", f"{built[0]}[all]", python)
    assert "broken" not in shell(programs / "hybridrec", "plugins", cwd=tmp_path)
    (tmp_path / "released.yaml").write_text(CONFIG, encoding="utf-8")
    assert "variant" in shell(programs / "hybridrec", "run", "released.yaml", cwd=tmp_path)


def test_the_index_accepts_them(built: tuple[Path, Path]):
    shell(sys.executable, "-m", "twine", "check", "--strict", *built)


def test_the_metadata_names_a_licence_and_brings_its_texts(built: tuple[Path, Path], metadata: Message):
    assert metadata["License-Expression"] == "MIT"
    texts = metadata.get_all("License-File", [])
    assert {Path(text).name for text in texts} == {"LICENSE", "LICENSE-setlists.txt", "LICENSE-movietweetings.txt"}
    with zipfile.ZipFile(built[0]) as wheel:
        names = wheel.namelist()
    for text in texts:
        assert any(name.endswith(f".dist-info/licenses/{text}") for name in names)


def test_the_wheel_holds_the_packages_and_nothing_else(built: tuple[Path, Path]):
    with zipfile.ZipFile(built[0]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == _packages()
    configs = {f"hybridrec/configs/{path.relative_to(ROOT / 'configs')}" for path in (ROOT / "configs").rglob("*.yaml")}
    assert configs <= set(names)
    assert {"hybridrec/py.typed", "hybridrec/__init__.pyi"} <= set(names)
    playground = (ROOT / "plugins" / "hybridrec_server" / "playground").iterdir()
    assert {f"hybridrec_server/playground/{path.name}" for path in playground} <= set(names)
    suffixes = {".py", ".pyi", ".typed", ".parquet", ".txt", ".md", ".html", ".css", ".js", ".tmpl", ".yaml"}
    assert [name for name in names if Path(name).suffix not in suffixes] == []


def test_the_sdist_holds_what_is_under_version_control(built: tuple[Path, Path]):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names - {"PKG-INFO"} == set(shell("git", "ls-files").split("\n")) - {""}


def test_it_is_cited_as_it_is_published(metadata: Message):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["license"]) == (metadata["Name"], metadata["License-Expression"])
    assert [author["name"] for author in citation["authors"]] == [metadata["Author"]]


def test_the_core_alone_runs_an_experiment(built: tuple[Path, Path], tmp_path: Path):
    programs = installed(tmp_path / "venv", str(built[0]))
    assert "run" in shell(programs / "hybridrec", "--help", cwd=tmp_path)
    assert "broken" not in shell(programs / "hybridrec", "plugins", cwd=tmp_path)
    (tmp_path / "released.yaml").write_text(CONFIG, encoding="utf-8")
    assert "variant" in shell(programs / "hybridrec", "run", "released.yaml", cwd=tmp_path)
    name = "plugin:core/configs/autoencoder.yaml"
    assert name in shell(programs / "hybridrec", "configs", cwd=tmp_path)
    assert "is valid" in shell(programs / "hybridrec", "check", name, cwd=tmp_path)
    there = shell(programs / "pip", "list", "--format=freeze")
    assert not re.search("^(gensim|implicit|lightfm)", there, re.M)


@pytest.mark.parametrize("extra", [*MODELS, *OTHERS])
def test_every_extra_installs_alone(extra: str, built: tuple[Path, Path], tmp_path: Path):
    programs = installed(tmp_path / "venv", f"{built[0]}[{extra}]")
    assert "broken" not in shell(programs / "hybridrec", "plugins", cwd=tmp_path)
    for component in MODELS.get(extra, []):
        (tmp_path / "released.yaml").write_text(CONFIG.replace("ease", component), encoding="utf-8")
        assert "variant" in shell(programs / "hybridrec", "run", "released.yaml", cwd=tmp_path)


def test_every_extra_is_tested():
    assert PROJECT["optional-dependencies"].keys() == {*MODELS, *OTHERS, "dev", "release"}


def test_the_lowest_versions_that_are_allowed_pass_the_tests(tmp_path: Path):
    """`>=` is true: with the oldest version of every direct dependency the whole suite passes."""
    python = tmp_path / "venv" / "bin" / "python"
    shell(sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, tmp_path / "venv")
    lowest = ("--resolution", "lowest-direct", "--only-binary", ":all:")
    shell(sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python, *lowest, "-e", f"{ROOT}[all,dev]")
    shell(python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", timeout=3600)


def _packages() -> set[str]:
    return {"hybridrec", *(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists())}
