"""A run with policies is a log that `hybridrec off-policy` reads as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import hybridrec
from hybridrec import BanditLog, ConfigError, DataError, Query
from hybridrec.cli import hybridrec as group
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.runs.exporter import export
from hybridrec.testing import ExporterContract
from hybridrec_offline.policy_logs import OffPolicyExporter


class TestOffPolicyExporter(ExporterContract):
    exporter = OffPolicyExporter
    experiment = Path(__file__).parent / "fixtures" / "policies.yaml"
    configs = [{}, {"places": 3}]


CONFIG = """\
name: policies
seed: 3
data: {reader: setlists, min_items: 12}
split: {use: masked, scenarios: {items: 1}}
components: {popularity: {}, item-knn: {}}
targets: {items: 8}
pipelines:
  cold: &cold
    generators: [{from: item-knn, k: 30}]
    rerank: [{use: plackett-luce, temperature: 0.3}]
    fallback: [popularity]
  warm: {<<: *cold, rerank: [{use: plackett-luce, temperature: 0.6}]}
  dice: {<<: *cold, rerank: [{use: epsilon-greedy, epsilon: 0.4}]}
  plain: {<<: *cold, rerank: []}
compare: {control: cold, metrics: ["hit-rate@1"], resamples: 100}
refit: all
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("policies")


def made(folder, config=CONFIG):
    path = folder / "policies.yaml"
    path.write_text(config, encoding="utf-8")
    return hybridrec.run(path, store=folder / "store", runs=folder / "runs")


@pytest.fixture(scope="module")
def run(folder):
    return made(folder)


def test_each_pair_has_a_log_that_the_command_reads(run, tmp_path):
    paths = export(OffPolicyExporter(), run, tmp_path)
    drawn, arms = ("cold", "warm", "dice"), ("cold", "warm", "dice", "plain")
    assert {path.name for path in paths} == {
        f"{logged}.{other}.items.log.parquet" for logged in drawn for other in arms if other != logged
    }
    log = BanditLog.read(tmp_path / "cold.warm.items.log.parquet")
    assert log.weights.mean() == pytest.approx(1, abs=0.2)
    told = CliRunner().invoke(group, ["off-policy", str(tmp_path / "warm.cold.items.log.parquet")])
    assert told.exit_code == 0, told.output
    assert "snips" in told.output


def test_the_reward_of_a_log_is_the_metric_of_the_run(run, tmp_path):
    (path,) = export(OffPolicyExporter(OffPolicyExporter.Config(logged="dice", policy="plain")), run, tmp_path)
    log = pl.read_parquet(path)
    measured = (
        run.per_query().filter(pl.col("pipeline") == "dice").filter(pl.col("query").is_in(log["query"].implode()))
    )
    assert log["reward"].to_list() == measured["hit-rate@1"].to_list()


def test_the_rows_of_a_slate_multiply_its_places(run, tmp_path):
    options = OffPolicyExporter.Config(logged="cold", policy="warm", places=4)
    (path,) = export(OffPolicyExporter(options), run, tmp_path)
    log, slates = pl.read_parquet(path), run.slates("cold").filter(pl.col("rank") <= 4)
    query = log["query"][0]
    for name, column in (("propensity", "propensity"), ("target_propensity", "propensity.warm")):
        wanted = np.cumprod(slates.filter(pl.col("query") == query)[column].to_numpy().astype(float))
        np.testing.assert_allclose(log.filter(pl.col("query") == query)[name], wanted)


def test_what_is_not_drawn_is_certain(run):
    slates, plain = run.slates("cold"), run.slates("plain")
    assert "propensity" not in plain.columns
    same = slates["id"] == plain["id"]  # both slates are full: row by row the same places
    assert slates["propensity.plain"].to_list() == same.cast(pl.Float32).to_list()
    assert slates["request"][0].endswith("/0")


def test_queries_without_a_choice_are_left_out_and_counted(run, tmp_path):
    slates = run.slates("cold")
    first = slates.filter(pl.col("rank") == 1)
    stuck = first.filter((pl.col("propensity") == 1) & (pl.col("propensity.dice") < 1))
    exporter = OffPolicyExporter(OffPolicyExporter.Config(logged="cold", policy="dice"))
    (path,) = export(exporter, run, tmp_path)
    assert pl.read_parquet(path)["query"].n_unique() == len(first) - len(stuck)
    assert len(exporter.notes()) == bool(len(stuck))


def test_the_same_run_draws_the_same_slates_and_another_seed_others(run, folder, tmp_path):
    again, other = made(tmp_path), made(folder, CONFIG.replace("seed: 3", "seed: 4"))
    assert again.slates("cold").equals(run.slates("cold"))
    both = run.slates("cold").join(other.slates("cold"), on=["query", "rank"])
    assert (both["id"] == both["id_right"]).mean() < 0.9


def test_another_arm_makes_another_log(run, folder):
    fewer = made(folder, CONFIG.replace("  plain: {<<: *cold, rerank: []}\n", ""))
    assert "propensity.plain" not in fewer.slates("cold").columns
    assert fewer.slates("cold")["id"].equals(run.slates("cold")["id"])


def test_a_run_without_draws_and_unknown_names_are_refused(run, tmp_path):
    with pytest.raises(DataError, match="pipeline 'plain' did not draw its items at random"):
        export(OffPolicyExporter(OffPolicyExporter.Config(logged="plain")), run, tmp_path)
    with pytest.raises(ConfigError, match="no pipeline 'hot'"):
        export(OffPolicyExporter(OffPolicyExporter.Config(policy="hot")), run, tmp_path)
    with pytest.raises(ConfigError, match="recommends no tags"):
        export(OffPolicyExporter(OffPolicyExporter.Config(target="tags")), run, tmp_path)


def test_a_request_gets_its_slate_again_and_a_fresh_one_is_told(run):
    recommender = hybridrec.load(run)
    items = run.queries()["items"][0].to_list()[:3]

    def asked(*ids):
        return recommender.recommend([Query(items=items, id=name) for name in ids], 5, pipeline="warm")

    first, fresh = asked("a", "b"), asked(None, None)
    assert first.requests == ("a", "b")
    assert first.ids.tolist() == asked("b", "a").ids[::-1].tolist()
    assert first.ids[0].tolist() != first.ids[1].tolist()
    assert asked(*fresh.requests).ids.tolist() == fresh.ids.tolist()
    assert fresh.to_frame()["request"].unique(maintain_order=True).to_list() == list(fresh.requests)
    assert recommender.recommend(Query(items=items), pipeline="plain").requests is None


def test_a_policy_must_come_last(tmp_path):
    path = tmp_path / "order.yaml"
    path.write_text(CONFIG.replace("[{use: epsilon-greedy, epsilon: 0.4}]", "[{use: epsilon-greedy}, {use: explore}]"))
    with pytest.raises(ConfigError, match="'epsilon-greedy' draws the slate, so it must be the last"):
        load_experiment(path, Registry())
