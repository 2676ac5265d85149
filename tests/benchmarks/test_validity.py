"""The study of the statistics runs, its page shows what was found, and what was found lies in the bands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from benchmarks.validity import agreement, calibration, logs, page, power
from benchmarks.validity.population import Population, draw
from hybridrec.evaluation.summary import deciding

DOCS = Path(__file__).parents[2] / "docs"
STUDY = json.loads((DOCS / "validity.json").read_text(encoding="utf-8"))


@pytest.fixture
def population() -> Population:
    """Four arms over 300 users who ask one to three queries each: many ties, long tails."""
    source = np.random.default_rng(0)
    weights = source.integers(1, 4, 300).astype(float)
    values = source.exponential(0.2, (4, 300)) * (source.random((4, 300)) < 0.7) + source.random(300)
    return Population("toy", "ndcg@20", ["a", "b", "c", "d"], values * weights, weights)


@pytest.fixture
def run(experiment):
    return hybridrec.run(experiment())


def test_a_run_becomes_a_population(run):
    population = Population.of(run)
    report = run.report.pipelines
    means = population.sums.sum(axis=1) / population.weights.sum()
    assert means == pytest.approx([report[name].metrics["ndcg@5"].mean for name in population.arms])


def test_equal_arms_are_equal_and_the_truth_is_known(population, rng):
    for kind in ("exchanged", "centred", "as they are"):
        drawn = draw(population, 100, 3000, rng, kind)
        off = drawn.differences.means - drawn.truth
        assert abs(off.mean()) < 4 * off.std() / np.sqrt(3000)
        assert (drawn.truth == 0).all() == (kind != "as they are")


def test_rates_are_near_what_is_promised(population, rng, monkeypatch):
    monkeypatch.setattr(calibration, "SIZES", (60, 150))
    for row in calibration.equal_arms(population, 300, rng, 200):
        assert 0.01 <= row["randomization"] <= 0.11
        assert 0.01 <= row["t"] <= 0.11
    for row in calibration.coverage(population, 300, rng, 200):
        assert 0.89 <= row["difference"] <= 0.99
        assert row["below"] + row["above"] == pytest.approx(1 - row["difference"])
    rates = {
        (row["better variants"], row["correction"]): row["any false"]
        for row in calibration.families(population, 150, rng, 400)
    }
    assert rates[0, "holm"] <= 0.12 < rates[0, "uncorrected"]


def test_power_is_near_what_is_promised(population, run, rng):
    row = deciding(run.report)[0].model_copy(update={"control": "a", "variant": "b"})
    for result in power.detected(population, row, 300, rng, 300):
        assert result["found"] == pytest.approx(result["promised"], abs=0.1)


def test_off_policy_estimates_are_near_the_truth(population, rng, monkeypatch):
    monkeypatch.setattr(logs, "SIZES", (300,))
    small = Population("toy", "ndcg@20", population.arms, population.sums / population.sums.max(), population.weights)
    for row in logs.off_policy(small, 100, rng, 200):
        if row["clip"] is None:
            assert abs(row["bias"]) < 5 * row["noise"] + 0.02
            assert 0.85 <= row["coverage"] <= 1


def test_every_way_of_comparing_is_measured(run, rng):
    by_way = power.sensitivity(run, 50, rng, 100)
    assert {row["way"].split()[0] for row in by_way} == {"paired", "team-draft", "balanced", "unpaired"}
    assert by_way[0]["times"] == 1


def test_peers_agree(run, population, rng, monkeypatch):
    monkeypatch.setattr(agreement, "_environment", lambda _: Path("/nowhere/python"))
    monkeypatch.setattr(agreement, "PERMUTATIONS", 500)
    monkeypatch.setattr(agreement, "K", 10)  # the length of the slates: beyond them scikit-learn guesses
    rows = agreement.tests(population, rng) + agreement.metrics(run, Path("/nowhere"), 20)
    assert [row for row in rows[:-1] if not row["difference"] <= row["allowed"]] == []
    assert rows[-1]["note"].startswith("skipped: ranx cannot be installed here")


def test_the_page_shows_what_was_found():
    text = (DOCS / "validity.md").read_text(encoding="utf-8")
    assert page.fill(text, STUDY) == text
    for name, rows in STUDY.items():
        shown = rows if isinstance(rows, str) else page.table(name, rows)
        assert shown in text


def test_figures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    page.draw(STUDY, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"validity-rates.svg", "validity-power.svg"}


def test_what_was_found_lies_in_the_bands():
    for row in STUDY["calibration"]:
        assert row["comparisons"] >= 10_000
        if row["equal arms"] == "exchanged":
            assert 0.045 <= row["randomization"] <= 0.055, row
    for row in STUDY["coverage"]:
        assert 0.945 <= row["difference"] <= 0.955, row
    for row in STUDY["families"]:
        if row["correction"] == "holm":
            assert row["any false"] <= 0.055, row
    for row in STUDY["agreement"]:
        assert row["difference"] <= row["allowed"], row
