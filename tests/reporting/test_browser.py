"""The page in a real browser: it draws, sorts and fits a phone, in light and dark, and complains about nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import CurveFigure, MapLegend, Run, StripesFigure, TableFigure
from hybridrec.evaluation.report import figure_report
from hybridrec.reporting.page import write
from tests.contrast import brightness, contrast

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium (Debian: apt-get install chromium)")

PROBE = """\
<script>
addEventListener("load", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  const metrics = document.querySelector("#metrics table.sortable");
  const column = (n) => [...metrics.tBodies[0].rows].map((row) => row.cells[n].textContent);
  const press = (n) => metrics.querySelectorAll("thead button")[n].click();
  const sorted = {};
  press(1); sorted.falling = column(1); sorted.aria = metrics.querySelectorAll("th[aria-sort=descending]").length;
  press(1); sorted.rising = column(1);
  press(0); sorted.names = column(0);
  const box = (element) => { const {width, height} = element.getBoundingClientRect(); return [width, height]; };
  const outside = [...document.querySelectorAll("svg")].map((svg) => {
    const edge = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text, circle, line, rect")].filter((part) => {
      const at = part.getBoundingClientRect();
      return at.left < edge.left - 1 || at.right > edge.right + 1 || at.bottom > edge.bottom + 1;
    }).length;
  });
  const paint = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
  parent.postMessage(JSON.stringify({
    sorted, outside,
    figures: [...document.querySelectorAll("svg")].map(box),
    marks: [...document.querySelectorAll("svg")].map((svg) => svg.querySelectorAll("circle, rect").length),
    width: innerWidth, scrolled: document.documentElement.scrollWidth,
    paper: paint("section", "backgroundColor"),
    inks: ["body", ".muted", ".opening", "nav a", "caption", "svg .blend .label"].map(
      (one) => paint(one, one.startsWith("svg") ? "fill" : "color")),
  }), "*");
});
</script>
"""


def chromium(path: Path, profile: Path, *options: str) -> tuple[str, list[str]]:
    """The document after its scripts ran, and the lines of its console."""
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}",
        "--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom", *options, path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def probe(page: Path, folder: Path, width: int, *options: str) -> dict:
    """The properties that a copy of the page reports of itself in a frame of this width."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    (folder / "copy.html").write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    outer = folder / "outer.html"
    outer.write_text(
        f'<!doctype html><pre id="said"></pre><iframe src="copy.html" width="{width}" height="900"></iframe>'
        "<script>onmessage = (event) => { document.getElementById('said').textContent = event.data; };</script>",
        encoding="utf-8",
    )
    document, console = chromium(outer, folder / "profile", *options)
    assert console == []
    return json.loads(html.unescape(document.partition('<pre id="said">')[2].partition("</pre>")[0]))


def test_the_page_as_it_is_runs_without_a_complaint(page, tmp_path):
    document, console = chromium(page, tmp_path / "profile")
    assert console == []
    assert document.count("<button") > 10, "its own script did not run"


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False), (390, True)])
def test_everything_is_drawn_and_can_be_read(page, tmp_path, width, dark):
    said = probe(page, tmp_path, width, *(["--force-dark-mode"] if dark else []))
    assert len(said["figures"]) == 8
    assert all(w > 200 and h > 80 for w, h in said["figures"])
    assert all(marks >= 4 for marks in said["marks"])
    assert said["outside"] == [0] * 8
    assert said["scrolled"] <= said["width"]
    assert (brightness(said["paper"]) < 0.2) == dark
    for ink in said["inks"]:
        assert contrast(ink, said["paper"]) >= 4.5


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_the_sections_that_not_every_run_has_are_drawn_as_well(experiment, tmp_path, width, dark):
    metrics = "  metrics: [ndcg@5, tags/ndcg@5]\n"
    rails = f"{metrics}  guardrails: {{coverage@5: 0.05}}\n"
    run = hybridrec.run(experiment((metrics, rails)), ["repeats=2"])
    names = run.names()["id"]
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {"id": names, "name": [f"a rather long name of {name}" for name in names], "count": range(len(names), 0, -1),
         "x": rng.normal(size=len(names)), "y": rng.normal(size=len(names)), "group": np.arange(len(names)) % 8}
    )  # fmt: skip
    legend = MapLegend(colours="clusters", groups=[f"cluster {number}" for number in range(8)], of=len(names))
    run.add_map("ease", frame, legend)
    said = probe(write(run), tmp_path, width, *(["--force-dark-mode"] if dark else []))
    assert all(w > 200 and h > 80 for w, h in said["figures"])
    assert len(names) in said["marks"]
    assert said["outside"] == [0] * len(said["figures"])
    assert said["scrolled"] <= said["width"]


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (390, True)])
def test_figures_of_components_fit_the_page_and_can_be_read(hostile_run, tmp_path, width, dark):
    rng = np.random.default_rng(1)
    figures = [
        CurveFigure("Within-cluster curve", "clusters", "within", [(k, 900 / k) for k in range(10, 400, 20)], chosen=9),
        StripesFigure(
            "One", ["a long name of a song " * 3] * 6, rng.normal(size=(6, 300)).astype(np.float32), ["t"] * 6
        ),
        TableFigure("Clusters", ["cluster", "items", "members"], [[k, k, "a song · " * 20] for k in range(40)]),
    ]
    shown = hostile_run.report.model_copy(update={"figures": {"pop": list(map(figure_report, figures))}})
    copy = shutil.copytree(hostile_run.folder, tmp_path / "run")
    said = probe(write(Run(copy, shown)), tmp_path, width, *(["--force-dark-mode"] if dark else []))
    curve, *stripes = said["figures"][8:]
    assert curve[0] > 200
    assert curve[1] > 80
    assert len(stripes) == 6
    assert all(width > 250 and height > 15 for width, height in stripes)
    assert said["outside"] == [0] * len(said["figures"])
    assert said["scrolled"] <= said["width"]


def test_paper_gets_what_is_not_folded(page, tmp_path):
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        f"--print-to-pdf={tmp_path / 'page.pdf'}", "--no-pdf-header-footer", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=600, check=True)
    sheets = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "page.pdf").read_bytes()))
    assert 1 <= sheets <= 6


def test_tables_sort_by_their_values(page, tmp_path):
    sorted_ = probe(page, tmp_path, 800)["sorted"]
    values = [float(cell.split()[0]) for cell in sorted_["falling"]]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 1
    assert sorted_["aria"] == 1
    assert [float(cell.split()[0]) for cell in sorted_["rising"]] == sorted(values)
    assert sorted_["names"] == sorted(sorted_["names"])
