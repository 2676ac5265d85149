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
from polars.testing import assert_frame_equal

import hybridrec
from tests.docs.markdown import ROOT, blocks, marked

PAGE = ROOT / "docs" / "engines.md"
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


def check(name: str, number: int, bundle: Path, folder: Path, **variables: str) -> None:
    """Run a program of the page on some queries, and compare what it writes."""
    queries = histories(bundle, number)
    (folder / "queries").mkdir()
    for place in range(FILES):
        queries[place * number // FILES : (place + 1) * number // FILES].write_parquet(
            folder / f"queries/{place}.parquet"
        )
    shutil.copy(bundle, folder / "nightly.hybridrec")
    (folder / f"by_{name}.py").write_text(marked(PAGE, f"by_{name}.py"), encoding="utf-8")
    paths = os.pathsep.join(filter(None, (*sys.path, APART if name == "spark" else "")))
    env = os.environ | {"PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0"} | variables
    done = subprocess.run(
        [sys.executable, f"by_{name}.py"], cwd=folder, env=env, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stderr
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
    names = {block.mark.removeprefix("by_").removesuffix(".py") for block in blocks(PAGE) if block.mark}
    assert names == {"polars", "pandas", "duckdb", "dask", "ray", "spark"}


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
    submit = "--master local[2] --conf spark.ui.enabled=false pyspark-shell"
    check("spark", 2_000, bundle, tmp_path, PYSPARK_PYTHON=sys.executable, PYSPARK_SUBMIT_ARGS=submit)
