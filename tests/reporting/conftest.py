"""A finished run on data whose every text tries to be markup."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hybridrec

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "{{ 7 * 7 }}{% raw %}",
    "</script></style></title><svg onload=alert(3)>",
    "\u202eגב <b>bold</b> & 'quoted'",
    "<!-- <script> -->",
)

CONFIG = """\
name: hostile
seed: 3
data:
  reader: table
  interactions: {path: plays.csv, user: who, item: what}
  users: {path: users.csv, id: who, title: title, tags: [tag]}
  items: {path: items.csv, id: what, text: [name]}
split: {use: masked, test: 0.4, scenarios: {items+tags: 0.4, items: 0.4, title: 0.2}}
components:
  ease: {l2: 5}
  pop: {use: popularity}
targets: {items: 10}
pipelines:
  control: {generators: [{from: pop, k: 24}], fallback: [tag-fallback, popularity]}
  hybrid:
    generators: [{from: ease, k: 24}]
    scorers: [ease, pop]
    rerank: [{use: validated, k: 5, min_queries: 1}]
    fallback: [tag-fallback, popularity]
compare: {control: control, singles: true, metrics: [ndcg@5, recall@5, coverage@5], resamples: 200}
workers: 2
"""


def tamed(place: int) -> str:
    """A text that no markup, template or quoting should survive."""
    return f"{HOSTILE[place % len(HOSTILE)]} {place}"


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> hybridrec.Run:
    """60 users of two tastes, 24 items."""
    folder = tmp_path_factory.mktemp("hostile")
    user_codes, item_codes = np.nonzero(np.random.default_rng(4).random((60, 24)) < 0.45)
    kept = (user_codes % 2 == item_codes % 2) | (item_codes < 4)
    users, items = range(60), range(24)
    texts = [tamed(place) for place in users]
    plays = pl.DataFrame({"who": [texts[u] for u in user_codes[kept]], "what": item_codes[kept]})
    plays.write_csv(folder / "plays.csv")
    tags = [f"{tamed(user % 2)}" for user in users]
    pl.DataFrame({"who": texts, "title": texts, "tag": tags}).write_csv(folder / "users.csv")
    pl.DataFrame({"what": list(items), "name": texts[:24]}).write_csv(folder / "items.csv")
    (folder / "hostile.yaml").write_text(CONFIG, encoding="utf-8")
    return hybridrec.run(folder / "hostile.yaml", store=folder / "store", runs=folder / "runs")


@pytest.fixture(scope="session")
def page(hostile_run: hybridrec.Run) -> Path:
    """Its report.html."""
    from hybridrec.reporting.page import write

    return write(hostile_run)
