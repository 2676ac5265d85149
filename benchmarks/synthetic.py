"""Synthetic data of any size with Zipf popularity, tastes of users, and genres, written in pieces to limit memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks import peers
from hybridrec import Floats, Longs, Sparse, Tables, assemble
from hybridrec_implicit.als import ALS

GENRES = 40
"""Number of genres of items; a user likes three of them."""
LOYALTY = 0.8
"""Share of the interactions with items of a genre that the user likes."""
PIECE = 2_000_000
"""Number of pairs that are drawn at a time."""


@dataclass(frozen=True, slots=True)
class Size:
    """Size of a data set: its numbers of users, of items, and of (user, item) pairs."""

    users: int
    items: int
    pairs: int

    def __str__(self) -> str:
        return f"{self.users}x{self.items}x{self.pairs}"


def write(size: Size, folder: Path, seed: int = 0) -> Path:
    """Write `pairs.parquet` and `items.parquet` if they do not exist, and return their folder.

    The columns are `user`, `item` and `fold` of pairs, and `item` and `genre` of items; `fold` is 0 for a fifth of the
    pairs, the test part, else -1. All pairs are distinct.
    """
    place = folder / f"{size}-{seed}"
    if (place / "pairs.parquet").exists():
        return place
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    genre = np.sort(rng.integers(GENRES, size=size.items))
    names = {"item": pl.Series(np.arange(size.items)).cast(pl.String), "genre": pl.Series(genre).cast(pl.String)}
    pl.DataFrame({"item": "i" + names["item"], "genre": "g" + names["genre"]}).write_parquet(place / "items.parquet")
    with tempfile.TemporaryDirectory(dir=place) as pieces:
        for number, (users, items, hidden) in enumerate(_draw(size, genre, rng)):
            frame = pl.DataFrame({"user": users.astype(np.int32), "item": items.astype(np.int32)}).select(
                user="u" + pl.col("user").cast(pl.String),
                item="i" + pl.col("item").cast(pl.String),
                fold=pl.Series(np.where(hidden, 0, -1).astype(np.int8)),
            )
            frame.write_parquet(Path(pieces) / f"{number:05}.parquet")
        whole = Path(pieces) / "whole.parquet"
        pl.scan_parquet(Path(pieces) / "0*.parquet").sink_parquet(whole)
        shutil.move(whole, place / "pairs.parquet")
    return place


def write_plays(size: Size, folder: Path, *, text: bool, seed: int = 0) -> Path:
    """Write plays in the order of their times as Parquet files, if they do not exist, and return their folder.

    The columns are `user` and `item`, integers or with `text` texts, and `time` in seconds since 1970. A few users and
    items have most of the plays, and each has one at least, if there are as many plays.
    """
    place = folder / f"plays-{size}-{'text' if text else 'integers'}-{seed}"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for number, first in enumerate(range(0, size.pairs, PIECE)):
            rows = np.arange(first, min(first + PIECE, size.pairs))
            users = (size.users * rng.random(len(rows)) ** 2).astype(np.int32)
            items = (size.items * rng.random(len(rows)) ** 3).astype(np.int32)
            users[rows < size.users] = rows[rows < size.users]
            items[rows < size.items] = rows[rows < size.items]
            times = 1_500_000_000 + rows // 8 + rng.integers(0, 3600, len(rows))
            frame = pl.DataFrame({"user": users * 7 + 1000, "item": items, "time": times})
            if text:
                frame = frame.with_columns(
                    pl.format("u{}", "user").alias("user"), pl.format("track-{}", "item").alias("item")
                )
            frame.write_parquet(Path(scratch) / f"{number:05}.parquet", row_group_size=PIECE // 4)
        Path(scratch).rename(place)
        Path(scratch).mkdir()  # removed with its context
    return place


def _draw(size: Size, genre: Longs, rng: np.random.Generator) -> Iterator[tuple[Longs, Longs, np.ndarray]]:
    """Yield parallel arrays for some users at a time: user, item, and a flag, true for pairs of the test part."""
    popularity = 1 / (1 + rng.permutation(size.items)) ** 0.9
    ends = np.cumsum(popularity)
    starts = np.searchsorted(genre, np.arange(GENRES + 1))
    edges = np.concatenate(([0.0], ends))[starts]
    each = size.pairs / size.users
    per_piece = max(int(PIECE / each), 1)
    for first in range(0, size.users, per_piece):
        users = np.arange(first, min(first + per_piece, size.users))
        wanted = np.maximum(rng.lognormal(np.log(each) - 0.18, 0.6, len(users)), 2)
        liked = rng.integers(GENRES, size=(len(users), 3))
        # Popular items are drawn repeatedly; a third more draws than needed compensates for most of that.
        who = np.repeat(np.arange(len(users)), np.minimum(1.35 * wanted + 2, size.items // 4 + 2).astype(np.int64))
        kind = liked[who, rng.integers(3, size=len(who))]
        within = rng.random(len(who)) < LOYALTY
        low, high = np.where(within, edges[kind], 0), np.where(within, edges[kind + 1], ends[-1])
        items = np.minimum(np.searchsorted(ends, low + rng.random(len(who)) * (high - low)), size.items - 1)
        pairs = np.unique(who * np.int64(size.items) + items)
        yield users[pairs // size.items], pairs % size.items, rng.random(len(pairs)) < 0.2


def latent(queries: int, items: int, factors: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw vectors of queries, float32 [Q, D], and of items, float32 [I, D], in random directions.

    The vectors of popular items are slightly longer.
    """
    vectors = rng.standard_normal((items, factors)) / np.sqrt(factors)
    vectors *= (1 + rng.permutation(items))[:, None] ** -0.1
    return rng.standard_normal((queries, factors)).astype(np.float32), vectors.astype(np.float32)


def learned(size: Size, factors: int = 64) -> tuple[Floats, Floats, Sparse]:
    """Return (users, items, has) of data of this size: the vectors that `als` learns, and the users' items.

    `users` is float32 [U, D], `items` float32 [I, D], and `has` csr [U, I].
    """
    pairs = write(size, peers.cache_folder() / "data") / "pairs.parquet"
    data = assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"])))
    als = ALS(ALS.Config(factors=factors, iterations=3, fields=("items",))).fit(data, np.random.default_rng(0))
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    return als.query_vectors(everybody, "items"), als.vectors("items"), everybody.history.matrix(binary=True)
