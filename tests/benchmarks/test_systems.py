"""The table of known systems has what the report and the fits say; data that is not there is passed over."""

from __future__ import annotations

import json
import re

import pytest

import hybridrec
from benchmarks.systems import __main__ as command
from benchmarks.systems import data, djmix, page
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry

SINGLES = ("  control: control\n", "  control: control\n  singles: true\n")
CROSSED = ("test: 0.3}", "test: 0.3, cross: true, scenarios: {items: 1, tags: 1}}")
MISSING = """\
# Download it from https://example.org/plays (research only).
name: systems-plays
data: {reader: table, interactions: {path: plays.csv, user: user, item: song}}
split: {use: random}
components: {popularity: {}}
pipelines: {all: {generators: [{from: popularity}], fallback: [tag-fallback, popularity]}}
"""


@pytest.fixture
def systems(tmp_path, monkeypatch):
    """The folder of configs, and the page, as they would be for one small data set."""
    monkeypatch.setattr(command, "CONFIGS", tmp_path)
    monkeypatch.setattr(command, "PAGE", tmp_path / "systems.md")
    monkeypatch.setenv("HYBRIDREC_BENCHMARKS", str(tmp_path / "cache"))
    (tmp_path / "systems.md").write_text("<!-- systems toy -->\n<!-- /systems toy -->\n")
    monkeypatch.setattr("sys.argv", ["systems", "--results", str(tmp_path / "results")])
    return tmp_path


def cells(table: str) -> dict[str, list[str]]:
    """The rows of a table by their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {first: rest for first, *rest in rows}


def test_the_table_has_quality_from_the_report_and_time_and_memory_from_the_fits(experiment):
    report = hybridrec.run(experiment(SINGLES, CROSSED)).report
    fits = {"ease": {"cpu": 1.234, "peak": 5.6e6}, "pop": {"cpu": 0, "peak": 0}, "noise": {"cpu": 2, "peak": 3.21e9}}
    rows = cells(page.table(report, fits))
    assert rows["system"] == [
        "ndcg@5", "ndcg@5, items", "ndcg@5, tags", "tags/ndcg@5", "seconds to fit", "peak MB",
    ]  # fmt: skip
    assert list(rows)[2:] == ["`ease`", "`pop`", "`noise`", "*control*", "*hybrid*"]
    assert rows["`ease`"][-2:] == ["1.23", "6"]
    assert rows["`noise`"][-2:] == ["2.00", "3,210"]
    assert rows["*hybrid*"][-2:] == ["", ""]
    items = report.pipelines["hybrid"].segments["items"].metrics["ndcg@5"]
    assert rows["*hybrid*"][1] == f"{items.mean:.3f}"
    means = {name: report.pipelines[name].metrics["ndcg@5"].mean for name in fits}
    best = max(means, key=means.get)
    for name in fits:
        assert rows[f"`{name}`"][0].startswith("**") is (name == best)
        assert f"{means[name]:.4f} ± " in rows[f"`{name}`"][0]
        assert all(re.fullmatch(r"\**\d\.\d{3}\**", cell) for cell in rows[f"`{name}`"][1:-2])


def test_the_hit_rate_of_every_position_is_called_ahr(experiment):
    positions = ("split: {use: masked, test: 0.3}", "split: {use: each-position, test: 0.3}")
    report = hybridrec.run(experiment(SINGLES, positions, ("[ndcg@5, tags/ndcg@5]", "[hit-rate@5, mrr@5]"))).report
    fits = {label: {"cpu": 0.0, "peak": 0.0} for label in ("ease", "pop", "noise")}
    assert cells(page.table(report, fits, ahr=True))["system"][:2] == ["AHR@5", "mrr@5"]


def test_the_command_fits_apart_runs_and_writes_the_page(experiment, systems, toyland, monkeypatch, capsys):
    monkeypatch.setenv("PYTHONPATH", str(toyland))
    experiment(SINGLES)
    command.main()
    results = json.loads((systems / "results" / "toy.json").read_text())
    assert results["fits"].keys() == {"ease", "pop", "noise"}
    assert all(fit["cpu"] >= 0 and fit["peak"] >= 0 for fit in results["fits"].values())
    again = {fit["label"] for fit in results["report"]["fits"] if not fit["cached"]}
    assert not again & results["fits"].keys()
    rows = cells((systems / "systems.md").read_text())
    assert {"`ease`", "*hybrid*"} <= rows.keys()


def test_data_that_is_not_there_is_passed_over(systems, capsys):
    (systems / "plays.yaml").write_text(MISSING)
    command.main()
    told = capsys.readouterr().out
    assert told == f"plays: skipped, {systems / 'plays.csv'} is not there (from https://example.org/plays)\n"
    assert not list((systems / "results").iterdir())


def test_quick_is_one_fold_of_few_queries_after_one_epoch():
    config = data.CONFIGS / "setlists.yaml"
    small = command.quick(load_experiment(config, Registry()))
    assert {"split.folds=null", "split.test=0.02", "components.lightfm.epochs=1"} <= set(small)
    changed = load_experiment(config, Registry(), tuple(small))
    assert changed.config.compare.resamples == 100
    assert changed.components["als"].options.iterations == 1


def test_mixes_keep_the_order_of_the_tracks_that_were_identified():
    mix = {
        "id": "mix0",
        "title": "2001 - Somebody @ Somewhere",
        "tags": [{"key": "Category:House", "url": "u"}, {"key": "Essential Mix", "url": "u"}],
        "tracklist": [{"id": "b", "title": "[00] B"}, {"id": None, "title": "?"}, {"id": "a", "title": "[09] A"}],
    }
    mixes = djmix.mixes(json.dumps([mix, mix | {"id": "mix1", "tags": [], "tracklist": []}]).encode())
    assert mixes.rows()[0] == ("mix0", "2001 - Somebody @ Somewhere", ["House", "Essential Mix"], ["b", "a"])
    assert mixes.rows()[1][2:] == ([], [])
