"""The picture of Song2Vec: drawn from report.json and the map alone, the same each time, refused without figures."""

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hybridrec
from benchmarks import pictures
from hybridrec import CurveFigure, MapLegend, Run, StripesFigure
from hybridrec.evaluation.report import FitProgressReport, figure_report
from hybridrec.runs.writer import write_report

pytest.importorskip("matplotlib")
PIPELINES = """{cluster: {generators: [{from: cluster-draw, k: 25}], fallback: []},
song2vec-settings: {generators: [{from: song2vec, k: 25}], fallback: []}}"""
"""The pipelines of the config that train what the picture shows."""
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.fixture
def shown(experiment):
    """A run with the figures of Song2Vec."""
    run = hybridrec.run(experiment())
    rng = np.random.default_rng(0)
    curve = CurveFigure("Within-cluster curve", "clusters", "within", [(10, 9.0), (20, 4.0), (40, 3.0)], chosen=1)
    stripes = StripesFigure(
        "Dark Star and the nearest 1", ["Dark Star", "Ripple"], rng.normal(size=(2, 8)).astype("f4"), ["", "near"]
    )
    fit = run.report.fits[0].model_copy(
        update={
            "label": "song2vec",
            "level": "full",
            "progress": FitProgressReport(of=2, steps=[1, 2], numbers={"loss": [2, 1]}),
        }
    )
    figures = {"song2vec": [figure_report(stripes)], "cluster-draw": [figure_report(curve)]}
    run = Run(run.folder, run.report.model_copy(update={"figures": figures, "fits": [fit]}))
    write_report(run)
    frame = pl.DataFrame(
        {"id": ["a", "b"], "name": ["A", "B"], "count": [2, 1], "x": [0.0, 1.0], "y": [0.0, 1.0], "group": [0, -1]}
    )
    run.add_map("song2vec", frame, MapLegend(colours="1 of 2 clusters", groups=["cluster 3"], of=2))
    return run


def test_all_parts_are_drawn_the_same_each_time(shown, tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    pictures.main(str(shown.folder), first)
    pictures.main(str(shown.folder), second)
    assert first.read_bytes() == second.read_bytes()
    text = first.read_text(encoding="utf-8")
    for words in ("Loss by epoch", "Within-cluster curve", "Dark Star", "1 of 2 clusters"):
        assert f"<!-- {words}" in text


def test_a_run_without_a_map_is_refused_with_the_command_that_draws_it(experiment, tmp_path):
    run = hybridrec.run(experiment())
    with pytest.raises(SystemExit, match=r"has no map: hybridrec map .* song2vec --clusters cluster-draw --drawn 10"):
        pictures.main(str(run.folder), tmp_path / "none.svg")


def test_a_run_without_the_figures_is_refused(shown, tmp_path):
    run = Run(shown.folder, shown.report.model_copy(update={"figures": {}}))
    write_report(run)
    with pytest.raises(SystemExit, match="no CurveReport of song2vec or cluster-draw"):
        pictures.main(str(run.folder), tmp_path / "none.svg")


def texts(picture: Path) -> list[str]:
    """The titles, names and numbers in a picture, in their order."""
    return re.findall("<!-- (.+) -->", picture.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_picture_of_the_docs_is_what_its_commands_draw(tmp_path, monkeypatch, call):
    """The same texts and marks, and the numbers to what may differ between processors."""
    for library in ("gensim", "sklearn"):
        pytest.importorskip(library)
    monkeypatch.chdir(tmp_path)
    config = pictures.ROOT / "configs" / "song2vec-setlists.yaml"
    run = hybridrec.run(config, ("refit=all", "compare.resamples=100", f"pipelines={PIPELINES}"))
    status, _, err = call("map", str(run.folder), "song2vec", "--clusters", "cluster-draw", "--drawn", "10")
    assert status == 0, err
    pictures.main(str(run.folder), tmp_path / "song2vec.svg")
    drawn, shown = tmp_path / "song2vec.svg", pictures.PICTURE
    assert [NUMBER.sub("", text) for text in texts(drawn)] == [NUMBER.sub("", text) for text in texts(shown)]
    numbers = [[float(n) for n in NUMBER.findall(" ".join(texts(picture)))] for picture in (drawn, shown)]
    assert numbers[0] == pytest.approx(numbers[1], abs=0.02)
    assert drawn.read_text().count("<use ") == shown.read_text().count("<use ")
