"""The page of a run: all of it there, nothing of the data taken for markup, nothing fetched from anywhere."""

from __future__ import annotations

import html
from html.parser import HTMLParser

import pytest

import hybridrec
from hybridrec import StoreError
from hybridrec.evaluation.summary import opening
from hybridrec.reporting import page as pages
from tests.reporting.conftest import HOSTILE

VOID = {"meta", "line", "img", "br", "link"}
REFERENCES = {"src", "href", "action", "data", "poster", "srcset", "xlink:href", "formaction", "background"}


class Reader(HTMLParser):
    """Collects elements, and checks that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(page):
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text):
    return Reader(text)


def test_every_section_is_there_and_can_be_reached(parsed, hostile_run):
    sections = [section["id"] for section in parsed.all("section")]
    assert sections == [
        "verdict", "metrics", "segments", "moved", "comparisons", "served-by", "learned", "fits", "environment",
        "config",
    ]  # fmt: skip
    targets = {attributes.get("id") for _, attributes in parsed.elements}
    links = {str(link["href"]) for link in parsed.all("a")}
    assert links == {f"#{section}" for section in sections}
    labelled = [str(a["aria-labelledby"]).split() for _, a in parsed.elements if "aria-labelledby" in a]
    assert {name for names in labelled for name in names} <= targets
    ids = [a["id"] for _, a in parsed.elements if "id" in a]
    assert len(ids) == len(set(ids))
    words = " ".join(parsed.text)
    for passage in (
        "control",
        "in ndcg@5, all queries",
        opening(hostile_run.report),
        "served by",
        "mean over folds",
        "data fingerprint",
        "use: popularity",
    ):
        assert passage in words
    assert hostile_run.report.config_hash in words


def test_every_figure_and_table_speaks(parsed):
    figures, tables_ = parsed.all("svg"), parsed.all("table")
    metrics, segments, pairs = 3, 4, 1
    assert len(figures) == metrics + segments + pairs
    assert all(figure["role"] == "img" and figure["aria-labelledby"] for figure in figures)
    assert len(parsed.all("desc")) == len(figures)
    assert len(parsed.all("caption")) == len(tables_) > 8
    assert all(header["scope"] in ("col", "row") for header in parsed.all("th"))


def test_no_text_of_the_data_becomes_markup(text, parsed):
    assert len(parsed.all("script")) == 1
    assert not parsed.all("img")
    assert len(parsed.all("svg")) == 8
    assert not [a for _, a in parsed.elements if any(name.startswith("on") for name in a)]
    for hostile in HOSTILE:
        assert hostile not in text or hostile == "{{ 7 * 7 }}{% raw %}"
        assert hostile in html.unescape(text)


def test_nothing_is_fetched(text, parsed):
    for _, attributes in parsed.elements:
        for name in REFERENCES & attributes.keys():
            assert str(attributes[name]).startswith("#")
    assert "@import" not in text
    assert "url(" not in text
    assert not parsed.all("link")
    (policy,) = [a["content"] for a in parsed.all("meta") if "http-equiv" in a]
    assert str(policy).startswith("default-src 'none'")
    assert len(text.encode()) < 1_000_000


def test_a_run_that_compares_nothing_has_a_page(experiment):
    config = experiment(("  control: control\n", ""), ("[ndcg@5, tags/ndcg@5]", "[coverage@5]"))
    text = pages.render(hybridrec.run(config))
    assert "Nothing was compared" in text
    Reader(text)


def test_tags_may_decide(experiment):
    text = pages.render(hybridrec.run(experiment(("[ndcg@5, tags/ndcg@5]", "[tags/ndcg@5, ndcg@5]"))))
    assert "against <bdi>control</bdi> in tags/ndcg@5" in text


def test_a_damaged_run_is_named(experiment):
    run = hybridrec.run(experiment())
    (run.folder / "queries.parquet").write_bytes(b"no parquet")
    with pytest.raises(StoreError, match=r"queries\.parquet: damaged \(10 bytes, "):
        pages.render(run)
