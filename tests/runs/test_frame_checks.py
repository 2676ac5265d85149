"""Tables of a run that do not fit its report are refused, with the file and what is wrong."""

from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from hybridrec.errors import StoreError
from hybridrec.runs.frame_checks import NAMES_COLUMNS, check_columns, check_per_query, check_queries, check_slates

FILE = Path("there.parquet")
REPORT = SimpleNamespace(
    pipelines={name: SimpleNamespace(queries=2, metrics={"ndcg@5": 1, "tags/ndcg@5": 1}) for name in ("a", "b")},
    data=SimpleNamespace(entities={"tags": 1, "artists": 2}),
)
PER_QUERY = pl.DataFrame(
    {"pipeline": ["a", "a", "b", "b"], "query": [0, 1, 0, 1], "unit": ["u"] * 4, "weight": [1.0] * 4,
     "segment": ["all"] * 4, "served_by": ["x"] * 4, "segment/s": ["k"] * 4, "ndcg@5": [0.5, None, 0.1, 0.2]}
)  # fmt: skip
QUERIES = pl.DataFrame(
    {"fold": ["test"] * 2, "unit": ["u", "v"], "items": [["i"], []], "text": ["", ""], "relevant_items": [["j"], ["k"]],
     "relevant_tags": [["t"], ["t"]], "tags": [["t"], []]}
)  # fmt: skip
SLATES = pl.DataFrame({"query": [0, 1], "rank": [1, 1], "id": ["i", "j"], "score": [1.0, 2.0], "served_by": ["x"] * 2})


def per_query(frame):
    return check_per_query(FILE, frame, REPORT, "segment/")


def queries(frame):
    return check_queries(FILE, frame, REPORT, "relevant_")


def slates(frame):
    return check_slates(FILE, frame, REPORT)


def test_tables_that_fit_are_returned():
    assert per_query(PER_QUERY) is PER_QUERY
    assert queries(QUERIES) is QUERIES
    assert slates(SLATES) is SLATES
    assert len(slates(SLATES.head(0))) == 0


@pytest.mark.parametrize(
    ("check", "frame", "told"),
    [
        (per_query, PER_QUERY.drop("unit"), "no column 'unit'"),
        (per_query, PER_QUERY.with_columns(pl.lit("x").alias("ndcg@5")), "column 'ndcg@5' holds String"),
        (per_query, PER_QUERY.with_columns(pl.lit(None, pl.String).alias("segment")), "column 'segment' holds"),
        (per_query, PER_QUERY.head(2), "its pipelines are not those of the report"),
        (per_query, PER_QUERY.head(3), "it has 1 queries, and the report 2"),
        (per_query, PER_QUERY.reverse(), "not in their order"),
        (queries, QUERIES.head(1), "it has 1 queries, and the report 2"),
        (queries, QUERIES.drop("relevant_tags"), "no column 'relevant_tags'"),
        (queries, QUERIES.with_columns(items=pl.lit("i")), "column 'items' holds String"),
        (queries, QUERIES.with_columns(tags=pl.lit(0.5)), "column 'tags' holds Float64"),
        (slates, SLATES.with_columns(query=pl.Series([0, 2])), "a query that the run does not have"),
        (slates, SLATES.with_columns(rank=pl.lit(1.5)), "column 'rank' holds Float64"),
        (lambda frame: check_columns(FILE, frame, NAMES_COLUMNS), SLATES, "no column 'name'"),
    ],
)
def test_what_does_not_fit_is_named(check, frame, told):
    with pytest.raises(StoreError, match=rf"^there\.parquet cannot be read: .*{told}"):
        check(frame)
