"""The programs of the page on other engines write the slates that `recommend` gives."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec_implicit.vector_files import VectorFiles
from tests.docs.markdown import ROOT, blocks, marked

PAGE = ROOT / "docs" / "engines.md"
CONFIGS = [block.code for block in blocks(PAGE) if (block.language, block.mark) == ("yaml", "file")]
EXPERIMENT = {
    "name": "nightly",
    "data": {"reader": "setlists"},
    "split": {"use": "masked"},
    "components": {"ease": {"l2": 40}, "item-knn": {}, "popularity": {}},
    "pipelines": {
        "control": {"generators": [{"from": "popularity"}], "fallback": []},
        "hybrid": {"generators": [{"from": "ease"}, {"from": "item-knn"}], "rerank": [{"use": "rrf"}]},
    },
    "compare": {"control": "control", "metrics": ["ndcg@20"], "resamples": 100},
    "refit": "all",
}
FILES = 4
APART = os.environ.get("HYBRIDREC_SPARK", "")
"""The folder of an installation of Spark that nothing else sees."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nightly")
    return hybridrec.run(EXPERIMENT, runs=folder / "runs", store=folder / "store").bundle(folder / "nightly.hybridrec")


def histories(bundle: Path, number: int) -> pl.DataFrame:
    """A table of queries with one to five songs each."""
    rng = np.random.default_rng(3)
    songs = hybridrec.load(bundle).data.items.vocabulary.ids.to_numpy()[:100]
    items = [rng.choice(songs, rng.integers(1, 6), replace=False).tolist() for _ in range(number)]
    return pl.DataFrame({"query": [f"q{place:05}" for place in range(number)], "items": items})


def run(program: str, folder: Path) -> None:
    """Run a program of the page in a folder; it finds Spark if that is installed apart."""
    (folder / program).write_text(marked(PAGE, program), encoding="utf-8")
    paths = os.pathsep.join(filter(None, (*sys.path, APART if "spark" in program else "")))
    submit = "--master local[2] --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2 pyspark-shell"
    spark = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": submit, "SPARK_LOCAL_IP": "127.0.0.1"}
    env = os.environ | spark | {"PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, program], cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


def check(name: str, number: int, bundle: Path, folder: Path) -> None:
    """Run a program of the page on some queries, and compare what it writes."""
    queries = histories(bundle, number)
    (folder / "queries").mkdir()
    for place in range(FILES):
        queries[place * number // FILES : (place + 1) * number // FILES].write_parquet(
            folder / f"queries/{place}.parquet"
        )
    shutil.copy(bundle, folder / "nightly.hybridrec")
    run(f"by_{name}.py", folder)
    written = pl.read_parquet(
        folder / ("slates.parquet" if (folder / "slates.parquet").exists() else "slates/*.parquet")
    )
    alone = hybridrec.BatchRecommender(bundle, n=10).recommend(queries)
    assert alone["query"].n_unique() == number
    assert written.columns == alone.columns
    assert_frame_equal(written.cast(alone.schema).sort("query", "place"), alone, rel_tol=1e-5, abs_tol=1e-5)


def need(name: str) -> None:
    if name == "spark":
        there = (APART and Path(APART).is_dir()) or importlib.util.find_spec("pyspark")
        if not there or shutil.which("java") is None:
            pytest.skip("neither Spark nor Java is part of the dependencies")
    else:
        pytest.importorskip(name, reason=f"{name} is not installed")


def test_every_program_is_run():
    names = {block.mark.removesuffix(".py") for block in blocks(PAGE) if block.language == "python"}
    assert names == {*(f"by_{name}" for name in ("polars", "pandas", "duckdb", "dask", "ray", "spark")), "spark_als"}


@pytest.mark.parametrize("name", ["polars", "pandas", "duckdb"])
def test_the_slates_are_those_of_recommend(name: str, bundle: Path, tmp_path: Path):
    need(name)
    check(name, 300, bundle, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["polars", "pandas", "duckdb", "dask", "ray"])
def test_slates_of_20_000_users_are_those_of_recommend(name: str, bundle: Path, tmp_path: Path):
    need(name)
    check(name, 20_000, bundle, tmp_path)


@pytest.mark.slow
def test_slates_on_spark_are_those_of_recommend(bundle: Path, tmp_path: Path):
    need("spark")
    check("spark", 2_000, bundle, tmp_path)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: yaml.safe_load(config)["name"])
def test_the_configs_are_valid_beside_vectors(config: str, tmp_path: Path):
    for kind in ("items", "users"):
        (tmp_path / kind).mkdir()
        pl.DataFrame({"id": ["a"], "features": [[1.0]]}).write_parquet(tmp_path / kind / "part-0.parquet")
    path = tmp_path / "page.yaml"
    path.write_text(config, encoding="utf-8")
    assert load_experiment(path, Registry()).components


@pytest.mark.slow
def test_vectors_of_spark_are_those_that_are_folded_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, succeed):
    need("spark")
    monkeypatch.chdir(tmp_path)
    for config in CONFIGS:
        Path(f"{yaml.safe_load(config)['name']}.yaml").write_text(config, encoding="utf-8")
    folder = hybridrec.run("shows.yaml").folder
    succeed("export", str(folder), "--format", "split", "-o", "split", cwd=tmp_path)
    run("spark_als.py", tmp_path)
    report = hybridrec.run("spark.yaml").report
    means = {name: arm.segments["all"].metrics["ndcg@20"].mean for name, arm in report.pipelines.items()}
    assert means["spark"] > means["popularity"]
    train = pl.read_parquet("split/test.train.parquet")
    data = hybridrec.assemble(hybridrec.Tables(train.select("user", "item")))
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    options = yaml.safe_load(CONFIGS[1])["components"]["spark"]
    del options["use"]
    own, folded = (
        VectorFiles(VectorFiles.Config(**(options | {"users": users}))).fit(data, np.random.default_rng(0))
        for users in (options["users"], None)
    )
    learned = own.query_vectors(everybody, "items")
    assert np.isfinite(learned).all()
    np.testing.assert_allclose(folded.query_vectors(everybody, "items"), learned, atol=2e-4 * np.abs(learned).max())
