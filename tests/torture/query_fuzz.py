"""Fuzzing of queries: objects, tables and files of queries are answered soundly, or refused with a message."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from hybridrec import BatchRecommender, DataError, Query, Recommender, load
from hybridrec.serving import query_source
from hybridrec.serving.query_source import QueryFile
from tests.torture.mutate import INTERESTING, VALUES, mutated_bytes
from tests.torture.outcome import Loss, Outcome
from tests.torture.subject import ITEMS, USERS, Subject

ODD_NUMBERS = (0, -1, 1.5, 1e18, -1e18, 1e308, float("nan"), float("inf"), None)


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Ask a recommender so many queries: two of five as objects, two as tables, one as a file."""
    outcome = Outcome()
    subject = Subject.made(folder / "subject")
    recommender = load(subject.bundle, unknown="skip")
    strict, batch = load(subject.bundle), BatchRecommender(subject.bundle, n=5)
    for number in range(tries):
        rng = random.Random(f"query {seed} {number}")
        way: Callable[[], object]
        match number % 5:
            case 0 | 1:
                name, way = "object", partial(asked, rng.choice((recommender, recommender, strict)), rng)
            case 2 | 3:
                name, way = "table", partial(tabled, batch, rng)
            case _:
                name, way = "file", partial(filed, recommender, folder / "queries", rng)
        outcome.attempt(f"query {seed} {number} ({name})", way)
        outcome.counts[name] += 1
    if outcome.counts["accepted"] * 10 < tries:
        outcome.lose("queries", f"{outcome.counts['accepted']} of {tries} were answered")
    return outcome


def an_id(rng: random.Random) -> Any:
    """Return an id: known ones mostly, else anything."""
    return rng.choice((f"song {rng.randrange(ITEMS)}",) * 6 + (rng.choice(INTERESTING), rng.choice(VALUES)))


def fields(rng: random.Random) -> dict[str, Any]:
    """Return the fields of a query, most of them sensible."""
    drawn: dict[str, Any] = {}
    if rng.random() < 0.7:
        drawn["items"] = [an_id(rng) for _ in range(rng.choice((0, 1, 2, 5, 300)))]
    if rng.random() < 0.3:
        drawn["user"] = rng.choice((f"u{rng.randrange(USERS)}", rng.choice(INTERESTING), rng.choice(VALUES)))
    if rng.random() < 0.3:
        drawn["tags"] = [f"t{rng.randrange(9)}", *rng.choices(INTERESTING, k=rng.randrange(2))]
    if rng.random() < 0.3:
        drawn["text"] = rng.choice((*INTERESTING, "blue evening", "red " * 2000))
    if rng.random() < 0.2:
        drawn["time"] = rng.choice(ODD_NUMBERS)
    if rng.random() < 0.2:
        drawn["disliked"] = [an_id(rng) for _ in range(3)]
    if rng.random() < 0.15:
        drawn["item_weights"] = [rng.choice((1.0, 2.0, *ODD_NUMBERS)) for _ in drawn.get("items", [1])]
    if rng.random() < 0.1:
        drawn["item_times"] = [rng.choice((1.6e9, *ODD_NUMBERS)) for _ in drawn.get("items", [1])]
    if rng.random() < 0.1:
        drawn["entities"] = {rng.choice(("tags", "artists", "items", "")): [an_id(rng)]}
    if rng.random() < 0.05:
        drawn[rng.choice(("items", "tags", "entities", "context", "user_features"))] = rng.choice(VALUES)
    return drawn


def asked(recommender: Recommender, rng: random.Random) -> None:
    """Ask for one to three queries as objects; what is refused by Python's own types counts as refused, too."""
    n = rng.choice((1, 5, 5, 40, 0, -3, 10**9))
    try:
        queries = [Query(**fields(rng)) for _ in range(rng.choice((1, 1, 3)))]
    except (TypeError, AttributeError) as error:  # a caller in Python who gives another type is told by Python
        raise DataError(f"{type(error).__name__}") from None
    slate = recommender.recommend(queries, n, pipeline=rng.choice((None, "control", "hybrid", "x")))
    check(slate.ids, slate.scores, queries, n)


def check(ids: Any, scores: Any, queries: list[Query], n: int) -> None:
    """Raise Loss for a slate with a code outside of the catalogue, an item twice, or a score that is not a number."""
    if ids.shape[0] != len(queries) or ids.shape[1] > max(n, 0):
        raise Loss(f"{ids.shape} for {len(queries)} queries and n = {n}")
    for row, values in zip(ids, scores, strict=True):
        shown = row[row >= 0]
        if len(set(shown.tolist())) != len(shown) or (shown >= ITEMS).any():
            raise Loss("an item twice, or none of the catalogue")
        if np.isinf(values[row >= 0]).any():  # NaN is that of a place which a fallback fills
            raise Loss("an infinite score")


def tabled(batch: BatchRecommender, rng: random.Random) -> None:
    """Ask by a table of queries."""
    rows = [fields(rng) for _ in range(rng.choice((1, 2, 6)))]
    for row in rows:
        if rng.random() < 0.2:
            row["blocked"] = [an_id(rng)]
    names = sorted({name for row in rows for name in row})
    columns: dict[str, Any] = {"query": [f"q{number}" for number in range(len(rows))]}
    for name in names:
        try:
            columns[name] = pl.Series([row.get(name) for row in rows], strict=rng.random() < 0.5)
        except Exception:  # no column of Polars
            columns[name] = pl.Series([str(row.get(name)) for row in rows])
    if rng.random() < 0.1:
        columns[rng.choice(INTERESTING)] = pl.Series([1] * len(rows))
    try:
        frame = pl.DataFrame(columns)
    except pl.exceptions.PolarsError as error:
        raise DataError(str(error)[:100]) from None
    answer = batch.recommend(frame)
    if set(answer["query"].to_list()) - set(columns["query"]):
        raise Loss("an answer to a query that was not asked")


def filed(recommender: Recommender, folder: Path, rng: random.Random) -> None:
    """Read a mutated file of queries."""
    folder.mkdir(exist_ok=True)
    rows = [{"query": f"q{number}", "items": [f"song {number}", "song 9"], "n": 3, "text": "x"} for number in range(4)]
    kind = rng.choice(("jsonl", "csv", "parquet"))
    path = folder / f"queries.{kind}"
    if kind == "jsonl":
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    elif kind == "csv":
        content = b"query,items,n,text\n" + b"".join(b"q%d,song %d|song 9,3,x\n" % (row, row) for row in range(4))
    else:
        pl.DataFrame(rows).write_parquet(path)
        content = path.read_bytes()
    path.write_bytes(mutated_bytes(content, rng))
    source = QueryFile(path, recommender.data)
    for frame, places in source.parts(3, 0):
        if len(frame) > 3 or not places(0):
            raise Loss("a part of another size")
    source.count()


def _let_damage_through(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(query_source, "naming", lambda _: nullcontext())
    return 200


BREAKS = {"damaged files of queries are named": _let_damage_through}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
