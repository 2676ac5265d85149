"""Sections that not every run has: guardrails and repeats."""

from __future__ import annotations

import hybridrec
from hybridrec.reporting import page as pages
from tests.reporting.test_page import Reader

METRICS = "  metrics: [ndcg@5, tags/ndcg@5]\n"


def sections(text: str) -> set[str]:
    return {str(section["id"]) for section in Reader(text).all("section")}


def test_guardrails_and_repeats_have_sections(experiment):
    config = experiment((METRICS, METRICS + "  guardrails: {coverage@5: 0.05, diversity@5: 0.9}\n"))
    text = pages.render(hybridrec.run(config, ["repeats=2"]))
    assert {"guardrails", "repeats"} <= sections(text)
    parsed = Reader(text)
    words = " ".join(parsed.text)
    for passage in (
        "held: ",
        "diversity@5 of hybrid against control: ",
        "Losses against the control",
        "Everything was trained 2 times",
        "noise",
        "training 2",
        "share of seeds",
        "the slates are those of the first",
    ):
        assert passage in words
    links = {str(link["href"]).removeprefix("#") for link in parsed.all("a")}
    assert links == sections(text)


def test_a_plain_run_has_none_of_them(hostile_run):
    assert not {"guardrails", "repeats", "map"} & sections(pages.render(hostile_run))
