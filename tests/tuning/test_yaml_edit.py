"""best.yaml: chosen values where the old ones stood, everything else as its author wrote it."""

from pathlib import Path

import yaml

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.tuning import yaml_edit
from tests.tuning.searches import POP, WEIGHTS


def test_the_comments_of_the_author_stay_and_where_values_come_from_is_added(tunable):
    path = tunable(WEIGHTS, ("seed: 3", "seed: 3  # lucky"))
    text = hybridrec.tune(path, ["compare.resamples=200"]).config.read_text()
    assert text.startswith("# Chosen by `hybridrec tune` on validation queries")
    assert "# lucky" in text
    assert "resamples: 200" in text
    assert "tune:" not in text


def test_relative_paths_still_lead_where_they_led(tunable):
    tuned = hybridrec.tune(tunable(WEIGHTS, ("{reader: toy}", "{reader: toy, path: files/a.csv}")))
    assert yaml.safe_load(tuned.config.read_text())["data"]["path"] == str(Path("files/a.csv").resolve())


def test_a_text_that_cannot_be_edited_becomes_the_resolved_config(tunable):
    """An anchor stands for two places, of which only one is to change."""
    path = tunable(
        WEIGHTS,
        ("control: {generators: [{from: pop, k: 20}], ",
         "control: {generators: [{from: ease, k: 20}, {from: noise, k: 10}], scorers: [pop], rerank: &r "
         "[{use: weighted, weights: {ease: 1, pop: 0.2}}], "),
        ("    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]\n    fall", "    rerank: *r\n    fall"),
    )  # fmt: skip
    tuned = hybridrec.tune(path)
    best = load_experiment(tuned.config, Registry()).resolved["pipelines"]
    assert best["hybrid"]["rerank"][0]["weights"]["pop"] == tuned.best[0].values[POP]


def test_a_text_whose_edit_fails_becomes_the_resolved_config(tunable, monkeypatch):
    def fails(*given, **more):
        raise IndexError

    monkeypatch.setattr(yaml_edit, "edited_text", fails)
    tuned = hybridrec.tune(tunable(WEIGHTS, ("seed: 3", "seed: 3  # lucky")))
    assert "# lucky" not in tuned.config.read_text()
    assert yaml.safe_load(tuned.config.read_text())["seed"] == 3
