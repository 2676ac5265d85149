"""Slates under two versions of numpy: other items and other scores are told, equal ones are not."""

import polars as pl
import pytest

from tests.torture.numpy_versions import ROOT, Difference, config, difference, oldest


def slates(*rows):
    return pl.DataFrame(rows, ["query", "rank", "id", "score"], orient="row")


OLD = slates((0, 1, "a", 4.0), (0, 2, "b", -8.0), (1, 1, "c", 1.0))


@pytest.mark.parametrize(
    ("new", "places", "score"),
    [
        (OLD, 0, 0.0),
        (OLD.with_columns(score=pl.col("score") + 0.5), 0, 0.0625),
        (slates((0, 1, "b", -8.0), (0, 2, "a", 4.0), (1, 1, "c", 1.0)), 2, 0.0),
        (OLD.head(2), 1, 0.0),
        (OLD.with_columns(id=pl.lit("x")), 3, 0.0),
    ],
)
def test_other_items_and_scores_are_told(new, places, score):
    assert difference("ease", OLD, new) == Difference("ease", places, score)


def test_every_component_has_a_pipeline_of_its_own():
    made = config()
    assert {"ease", "als", "trending"} <= made["components"].keys() <= made["pipelines"].keys()
    assert "wide" in made["pipelines"]


def test_the_oldest_version_is_that_of_the_dependencies():
    assert oldest().count(".") == 2
    assert f'"numpy>={oldest().removesuffix(".0")}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
