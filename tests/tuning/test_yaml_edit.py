"""best.yaml: chosen values where the old ones stood, everything else as its author wrote it."""

from pathlib import Path

import yaml

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.tuning.yaml_edit import _edited
from tests.tuning.searches import POP, WEIGHTS

TEXT = """\
# head
name: x   # its name
components:
  als: {factors: 3} # factors
  ease:
  pop: {}
  # below
  w2v:
    dim: 32   # dims
    blocks:   # as a list
      - a
      - b     # last
tune:
  space:
    a.b: [1, 2]   # gone
# tail
compare: {metrics: [ndcg@5]}
"""


def test_a_file_is_edited_where_the_values_stand():
    values = {
        ("components", "als", "factors"): 64,
        ("components", "als", "more"): 0.5,
        ("components", "ease", "l2"): 5,
        ("components", "pop", "a"): "no",
        ("components", "pop", "b"): 1,
        ("components", "w2v", "fields"): ["x", "y"],
        ("components", "w2v", "dim"): 1e-9,
        ("components", "w2v", "blocks"): ["c"],
    }
    edited = _edited(TEXT, values)
    content = yaml.safe_load(TEXT)
    del content["tune"]
    for (_, label, key), value in values.items():
        content["components"][label] = {**(content["components"][label] or {}), key: value}
    assert yaml.safe_load(edited) == content
    for comment in ("# head", "# its name", "# factors", "# below", "# dims", "# tail"):
        assert comment in edited
    assert "# gone" not in edited


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
