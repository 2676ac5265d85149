"""Tables in blocks give the data that they give as one."""

import re

import numpy as np
import polars as pl
import pytest

from hybridrec import PluginError, Tables, assemble
from hybridrec.data.table_blocks import join_blocks


def interactions(rng, rows):
    return pl.DataFrame(
        {
            "user": [f"u{code}" for code in rng.integers(0, 30, rows)],
            "item": [f"i{code}" for code in rng.integers(0, 20, rows)],
            "time": rng.integers(0, 10**9, rows).astype(float),
        }
    )


def cut(frame, places):
    return [frame[start:end] for start, end in zip([0, *places], [*places, len(frame)], strict=True)]


@pytest.mark.parametrize("places", [[], [0], [1, 2, 3], [50, 50, 99], [100]])
@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Int64])
def test_the_data_is_that_of_the_tables_as_one(places, dtype):
    whole = interactions(np.random.default_rng(3), 100)
    if dtype == pl.Int64:
        whole = whole.with_columns(pl.col("user", "item").str.slice(1).cast(pl.Int64))
    whole = whole.with_columns(pl.col("user").cast(dtype))
    blocks = (Tables(block) for block in cut(whole, places))
    assert assemble(blocks).fingerprint == assemble(Tables(whole)).fingerprint


def test_blocks_may_bring_different_tables_and_columns_in_another_order():
    frame = interactions(np.random.default_rng(4), 60)
    first, second = cut(frame, [20])
    joined_tables = join_blocks(iter([Tables(first), Tables(second.select("time", "item", "user"))]))
    assert joined_tables.interactions.with_columns(pl.col("user", "item").cast(pl.String)).equals(frame)


def test_blocks_may_bring_texts_and_times_of_items():
    """Ids of blocks become an enumeration, and are looked up as texts all the same."""
    frame = interactions(np.random.default_rng(4), 60)
    names = frame.select(id="item").unique("id", maintain_order=True).with_columns(text=pl.col("id") + "!", time=1.0)
    blocks = [Tables(block, entities={"items": names}) for block in cut(frame, [20])]
    assert assemble(iter(blocks)).fingerprint == assemble(Tables(frame, entities={"items": names})).fingerprint


def test_blocks_that_do_not_fit_together_are_refused_with_their_number():
    frame = interactions(np.random.default_rng(5), 10)
    message = "Tables.interactions of block 2 has the columns user, item; before it had user, item, time"
    with pytest.raises(PluginError, match=message):
        assemble([Tables(frame), Tables(frame.drop("time"))])
    message = "Tables.interactions of block 2 has Int64 in the column 'time'; before it had Float64"
    with pytest.raises(PluginError, match=message):
        assemble([Tables(frame), Tables(frame.with_columns(pl.col("time").cast(pl.Int64)))])
    with pytest.raises(PluginError, match=re.escape("assemble was given no block of tables")):
        assemble(iter(()))


def test_missing_ids_are_told_as_those_of_one_table():
    frame = interactions(np.random.default_rng(6), 10)
    lacking = frame.with_columns(
        pl.when(pl.col("item") == frame["item"][0]).then(None).otherwise(pl.col("item")).alias("item")
    )
    with pytest.raises(Exception, match=r"ids missing \(null\) in the column 'item'"):
        assemble([Tables(frame), Tables(lacking)])
