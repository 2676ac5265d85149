"""The playground before the real server, with bundles of the data sets in the package."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import hybridrec
from hybridrec_server.client import Client
from tests.plugins.hybridrec_server.browser import CHROMIUM, opened
from tests.plugins.hybridrec_server.test_playground import ROWS, Walk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian: apt-get install chromium)"),
]

CONFIG = """\
name: {reader}
data: {{reader: {reader}}}
split: {{use: masked}}
components: {{user-knn: {{}}, item-knn: {{}}, popularity: {{}}}}
targets: {{items: 10}}
pipelines:
  control: {{generators: [{{from: popularity, k: 200}}], fallback: [popularity]}}
  hybrid:
    generators: [{{from: user-knn, k: 150}}, {{from: item-knn, k: 150}}]
    scorers: [popularity]
    rerank: [{{use: weighted, weights: {{user-knn: 1, item-knn: 0.5, popularity: 0.1}}}}]
    fallback: [popularity]
compare: {{control: control, metrics: [ndcg@10], resamples: 100}}
refit: all
"""


@contextmanager
def serving(reader: str, folder: Path) -> Iterator[str]:
    """The address of a server in a process of its own, with a bundle that is fitted for it."""
    (folder / "experiment.yaml").write_text(CONFIG.format(reader=reader), encoding="utf-8")
    run = hybridrec.run(folder / "experiment.yaml", store=folder / "store", runs=folder / "runs")
    bundle = run.bundle(folder / f"{reader}.hybridrec")
    options = ["--port", "0", "--folder", str(folder / "serve"), "--deadline", "10"]
    command = [sys.executable, "-m", "hybridrec", "serve", str(bundle), *options]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("serving "), line
            yield line.rpartition(" at ")[2].strip()
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("reader", "typed", "person"), [("setlists", "dark s", "1977-05-08"), ("movietweetings", "argo", "12")]
)
def test_the_blend_of_a_real_server_can_be_touched(reader: str, typed: str, person: str, tmp_path: Path):
    with serving(reader, tmp_path) as address, opened(tmp_path / "profile") as page, Client(address) as client:
        walk = Walk(page, address)
        page.look()
        walk.open()
        walk.pick("Items", typed)
        request = {"items": [page.run("new URLSearchParams(location.hash.slice(1)).get('item')")], "n": 10}
        slates = {name: client.recommend(request | {"pipeline": name}) for name in ("hybrid", "control")}
        assert [walk.slate("left"), walk.slate("right")] in (
            [[place.id for place in slates[name].items] for name in order]
            for order in (("hybrid", "control"), ("control", "hybrid"))
        )
        page.run("location.hash += '&left=hybrid&right=control'")
        walk.drawn()
        page.wait("document.querySelector('[data-side=left] .name').value === 'hybrid'")
        walk.drawn()
        served = walk.slate("left")

        # The sum of the browser is the sum of the server: the weights as served give the slate as served.
        weights = client.explain(request | {"pipeline": "hybrid"}).candidates.weights
        assert weights == pytest.approx({"user-knn": 1, "item-knn": 0.5, "popularity": 0.1})
        page.run("document.querySelector(\"[data-side=left] [type=range]\").dispatchEvent(new Event('input'))")
        assert walk.slate("left") == served
        assert page.run("!document.querySelector('[data-side=left] .quiet').disabled")
        walk.slide("left", "popularity", 2)
        assert walk.slate("left") != served
        page.run("document.querySelector('[data-side=left] .quiet').click()")
        assert walk.slate("left") == served

        # A person: what they have is not recommended again; a like is known to the next slate.
        walk.pick("Person", person)
        before = walk.slate("left")
        page.click("[data-side=left] .places li .like")
        page.wait("document.querySelector('.since')")
        walk.drawn()
        assert before[0] not in walk.slate("left")
        assert page.run("document.querySelector('#acts').textContent").startswith("On this page the person liked ")
        user = page.run("new URLSearchParams(location.hash.slice(1)).get('user')")
        answer = client.recommend(request | {"user": user, "pipeline": "hybrid"})
        assert walk.slate("left") == [place.id for place in answer.items]

        page.click("[data-side=left] .more")
        page.wait(f"{ROWS.format(side='left')}.length === 20")
        assert len({*walk.slate("left")}) == 20
        columns = client.pipelines().filters["items"]
        if columns:
            rule = {"column": "genre", "is": "Comedy"}
            page.run(f"location.hash += '&filter=' + encodeURIComponent({json.dumps(json.dumps(rule))})")
            page.wait("document.querySelector('.rules li')")
            walk.drawn()
            for item in walk.slate("left"):
                assert "Comedy" in client.item(item).features["genre"]
        assert page.complaints == []
