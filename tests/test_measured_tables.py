"""The tables of the pages come from runs: what the command writes, and that every mark has its end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import hybridrec
from benchmarks import readme, word2vec
from hybridrec.config import yaml_document
from hybridrec.config.load import check
from hybridrec.evaluation.report import MetricReport
from hybridrec.registry.discovery import Registry

CURVE = ("workers: 2", "tradeoffs:\n  - {pipeline: hybrid, vary: rerank.0.weights.pop, over: [0, 1]}\nworkers: 2")


@pytest.mark.parametrize("page", readme.PAGES, ids=lambda page: page.name)
def test_every_mark_has_its_end(page: Path):
    text = page.read_text(encoding="utf-8")
    for mark in re.findall(r"<!-- ([\w -]+) -->", text):
        assert text.count(f"<!-- {mark} -->\n") == text.count(f"\n<!-- /{mark} -->") == 1


def test_tables_go_between_their_marks(experiment, tmp_path: Path):
    report = hybridrec.run(experiment(CURVE)).report
    page = tmp_path / "page.md"
    page.write_text(
        "a\n<!-- toy served-by -->\nold\n<!-- /toy served-by -->\nb\n<!-- toy tradeoffs --><!-- /toy tradeoffs -->\n"
    )
    blocks = {"toy": "no", "toy served-by": readme.served_by(report), "toy tradeoffs": readme.tradeoffs(report)}
    assert readme.write(page, blocks) == 2
    text = page.read_text()
    assert "old" not in text
    assert "|  | `blend:items` |" in text
    assert "| `rerank.0.weights.pop` of hybrid | ndcg@5 | tags/ndcg@5 |" in text
    assert re.search(r"^\| 1 \| 0\.\d+ ± 0\.\d+ \|", text, re.M)
    assert readme.write(page, blocks) == 2
    assert page.read_text() == text


def test_means_without_intervals_have_the_digits_that_all_machines_agree_on(experiment):
    rows = readme.table(hybridrec.run(experiment()).report).splitlines()[2:]
    means = [cell for row in rows for cell in row.split(" | ")[1:-1]]
    assert means
    assert all(re.fullmatch(r"\d\.\d{3}", mean) for mean in means)
    assert readme.figure(MetricReport(mean=0.12345)) == "0.123"
    assert readme.figure(MetricReport(mean=0.1234, ci95=(0.1134, 0.1334))) == "0.1234 ± 0.0100"
    assert readme.figure(MetricReport(mean=None)) == ""


def test_pairs_name_those_that_cannot_be_told_apart(experiment):
    run = hybridrec.run(experiment(CURVE))
    rows = [line.split(" | ") for line in readme.pairs(run).splitlines()]
    names = [name for name, arm in run.report.pipelines.items() if not arm.single]
    assert [row[0].removeprefix("| ") for row in rows[2:]] == names
    for row in rows[2:]:
        told = row[2].removesuffix(" |").split(", ")
        assert set(told) - {""} <= set(names) - {row[0].removeprefix("| ")}


def test_the_sweep_is_a_valid_experiment(tmp_path: Path):
    base = yaml.safe_load(word2vec.CONFIG.read_text(encoding="utf-8"))
    config = word2vec.sweep(base)
    check(yaml_document.parse(yaml.safe_dump(config, sort_keys=False), "sweep"), Registry(), tmp_path)
    assert {label for label, _, _ in word2vec.variants()} >= set(config["components"]) - {word2vec.BASE}
    assert len(config["pipelines"]) == len(config["components"]) > 20


def test_rates_change_nothing_but_the_rate(tmp_path: Path):
    skip_gram = yaml.safe_load(word2vec.SKIP_GRAM.read_text(encoding="utf-8"))
    config = word2vec.rates(skip_gram, {"reader": "setlists"})
    check(yaml_document.parse(yaml.safe_dump(config, sort_keys=False), "rates"), Registry(), tmp_path)
    trained = {label: options for label, options in config["components"].items() if label != "popularity"}
    assert [options["alpha"] for options in trained.values()] == list(word2vec.RATES)
    for options in trained.values():
        published = skip_gram["components"]["word2vec"] | {"use": "word2vec", "score": "input-output"}
        assert options | {"alpha": 0} == published | {"alpha": 0}


def test_the_best_rate_of_each_column_is_bold():
    arms = [MetricReport(mean=0.1 * place, ci95=(0.0, 1.0)) for place in range(len(word2vec.RATES) + 1)]
    rows = word2vec.rate_table({"concerts": arms, "radio": arms[::-1]}).splitlines()[2:]
    assert [row.count("**") for row in rows] == [2, 0, 0, 0, 0, 0, 2]
    assert rows[0].startswith("| popularity | 0.0000")
    assert rows[-1].startswith(f"| {word2vec.RATES[-1]} | **0.6")
