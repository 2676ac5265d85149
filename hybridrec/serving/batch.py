"""Recommendations for tables of queries, by a picklable function for any engine that maps batches of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridrec.data.io.arrow import polars_frame
from hybridrec.runs.bundle import BUNDLE
from hybridrec.serving.explain import columns_of, contributions
from hybridrec.serving.query_table import Places, encode_table
from hybridrec.serving.recommender import Recommender, UnknownIds, load, users_left_out
from hybridrec.stages.pool import PROPENSITY
from hybridrec.types import PADDING, Bools, Floats, Ints, Longs, Target

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.queries import QueryBatch
    from hybridrec.serving.query_table import EncodedTable
    from hybridrec.stages.pipeline import Pipeline
    from hybridrec.stages.pool import Pool
    from hybridrec.stages.slate import Slate

ROWS = 8_192
"""The number of queries that are encoded at a time."""


@dataclass(frozen=True, slots=True)
class BatchRecommender:
    """A function that answers tables of queries from a bundle; its fields are plain values, so that it can be pickled.

    Called with an iterator of tables, it yields tables of recommendations. It fits Spark's `mapInArrow`, which takes
    a function `Iterator[RecordBatch] -> Iterator[RecordBatch]`. `recommend` answers one table. The bundle is loaded
    once in each process, by the first table.

    bundle: path of a bundle or a run, which must exist where the function is called
    n: number of places for queries without a value in the column `n`; by default the length that the experiment sets
        for the target
    pipeline: name of the pipeline that answers, by default the winner of the run
    target: kind of the entities that are recommended
    explain: True for the column `contributions`
    unknown: "refuse" to raise DataError for a query with an unknown id, "skip" to answer as if the id was not there
    block: names of plugins that are not loaded
    plugins: paths of the plugins without packaging that the bundle names

    A table of queries has a row for each query, with columns named like the fields of `Query`, which may be missing:

    - `query`: name of the query, text or integer; without this column the id of the user is the name
    - `user`: id of the user. A query without items, entities and text gets the profile of its user in the bundle
    - `items`, `disliked`, and a column named like each kind (`tags`): lists of ids
    - `blocked`: ids of the target that are not recommended
    - `pinned`: ids of the target that take the first places, in this order, without those that are blocked
    - `filters.NAME`, or the struct `filters`: a value of an attribute of the target, or a list of them, any of which
      every recommended id has; null for no condition
    - `filters`: a list of `FilterRule`, or its JSON as text, all of which every recommended id meets
    - `item_times`, `item_weights`: lists with a value for each item
    - `text`, `time` (a time, an ISO 8601 text or seconds since 1970), `n`
    - `user_features.NAME`, `context.NAME`, or the structs `user_features` and `context`

    The table of recommendations has a row for each place of each slate, in the order of the queries: `query` (text),
    `place` (int32, from 1), `id` (text), `score` (float32, null for a pinned id and one from the fallback) and
    `served_by` (text).
    If the pipeline draws its slates, the column `propensity` (float32) follows. With `explain`, the last column is
    `contributions`, a list of structs `label` and `value`, the summands of the score. A query for which nothing can be
    recommended has no row.

    Tables are of Polars, pandas or pyarrow (a `Table` or `RecordBatch`), and the answer has the class of the table of
    queries. Any other table that exports Arrow is answered in Polars. Tables of pandas need pyarrow.
    """

    bundle: Path | str
    n: int | None = None
    pipeline: str | None = None
    target: Target = "items"
    explain: bool = False
    unknown: UnknownIds = "refuse"
    block: tuple[str, ...] = ()
    plugins: tuple[Path | str, ...] = ()

    def __post_init__(self) -> None:
        """Convert lists, as `load` takes them, to the tuples by which a loaded bundle is found again."""
        object.__setattr__(self, "block", tuple(self.block))
        object.__setattr__(self, "plugins", tuple(self.plugins))

    def __call__(self, tables: Iterable[Any]) -> Iterator[Any]:
        """Yield tables of recommendations for tables of queries: several for a large table, so that memory is bounded.

        Raises DataError for a table that cannot be used; rows are counted from 1 over all tables.
        """
        first = 1
        for queries in tables:
            frame = polars_frame(queries, "queries")
            for answered in self.frames(frame, _row_from(first)):
                yield from _in_batches(answered, queries)
            first += len(frame)

    def recommend(self, queries: Any) -> Any:
        """Return the recommendations for one table of queries, as a table of the same class."""
        import polars as pl

        pinned = PinnedRecommender(self, self.recommender)
        frames = list(pinned.frames(polars_frame(queries, "queries"), _row_from(1)))
        return _like(pl.concat([pl.DataFrame(schema=pinned.schema), *frames]), queries)

    def frames(self, queries: pl.DataFrame, places: Places, name: str = "queries") -> Iterator[pl.DataFrame]:
        """Yield the recommendations for a Polars frame of queries, some thousand queries at a time.

        places: the function that names, in messages, the place of a row of the frame; rows count from 0
        name: the name of the table, for messages about whole columns
        """
        if len(queries):
            yield from PinnedRecommender(self, self.recommender).frames(queries, places, name)

    @property
    def recommender(self) -> Recommender:
        """The recommender of the bundle, which each process loads once."""
        path = Path(self.bundle).resolve()
        file = path / BUNDLE if path.is_dir() else path
        version = (file.stat().st_mtime_ns, file.stat().st_size) if file.exists() else None
        return _loaded(path, version, self.block, self.plugins)

    @property
    def schema(self) -> pl.Schema:
        """The names and types of the columns of recommendations."""
        return PinnedRecommender(self, self.recommender).schema


@dataclass(frozen=True, slots=True)
class PinnedRecommender:
    """A recommender that answers tables of queries for a `BatchRecommender`, even after its bundle is replaced.

    options: the function of tables, of which the options are used, but not the bundle
    recommender: the recommender that answers
    """

    options: BatchRecommender
    recommender: Recommender

    def frames(self, queries: pl.DataFrame, places: Places, name: str = "queries") -> Iterator[pl.DataFrame]:
        """Yield the recommendations for a Polars frame of queries, as `BatchRecommender.frames` does."""
        for start in range(0, len(queries), ROWS):
            rows = queries[start : start + ROWS]
            yield from self._answers(rows, partial(_shifted, places, start), name)

    @property
    def schema(self) -> pl.Schema:
        """The names and types of the columns of recommendations."""
        import polars as pl

        columns: dict[str, Any] = {
            "query": pl.String, "place": pl.Int32, "id": pl.String, "score": pl.Float32, "served_by": pl.String,
        }  # fmt: skip
        if self._pipeline.draws(self.options.target):
            columns[PROPENSITY] = pl.Float32
        if self.options.explain:
            columns["contributions"] = pl.List(pl.Struct({"label": pl.String, "value": pl.Float32}))
        return pl.Schema(columns)

    @property
    def _pipeline(self) -> Pipeline:
        return self.recommender.pipeline(self.options.pipeline)

    def _answers(self, queries: pl.DataFrame, places: Places, name: str) -> Iterator[pl.DataFrame]:
        """Yield the recommendations for a frame of queries, in frames for blocks of queries that fit the memory."""
        import polars as pl

        recommender, refuse = self.recommender, self.options.unknown == "refuse"
        if not recommender.knows_users and "user" in queries.columns and len(named := queries["user"].drop_nulls()):
            raise users_left_out(str(named[0]))
        target = self.options.target
        default = recommender.length(self.options.n, target)
        table = encode_table(queries, recommender.data, places, refuse_unknown=refuse, name=name, target=target)
        batch = recommender.complete(table.batch, table.bare)
        lengths = np.full(len(batch), default)
        if table.n is not None:
            lengths = np.where(table.n > 0, table.n, default)
        # A slate of n places need not begin like a longer one, so queries with the same n are answered together.
        answered = [self._answers_of(batch, table, np.flatnonzero(lengths == n), n) for n in np.unique(lengths)]
        if len(answered) == 1:
            frames = answered[0]
        else:
            frames = iter([pl.concat(chain.from_iterable(answered)).sort("row", "place")])
        _, *columns = self.schema.names()
        for frame in frames:
            yield frame.select(table.names.gather(frame["row"]).alias("query"), *columns)

    def _answers_of(self, batch: QueryBatch, table: EncodedTable, rows: Longs, n: int) -> Iterator[pl.DataFrame]:
        """Yield the recommendations of n places for some rows of a batch; the column `row` has the row in the batch.

        The batch has what the table states, and the profiles of users.
        """
        start = 0
        for block in self.recommender.blocks(batch if len(rows) == len(batch) else batch.take(rows)):
            asked = rows[start : start + len(block)]
            with self.recommender.one_thread():
                frame = self._block(block, asked, table, n)
            yield frame
            start += len(block)

    def _block(self, queries: QueryBatch, asked: Longs, table: EncodedTable, n: int) -> pl.DataFrame:
        """Return the recommendations for a block of queries, whose rows in the table, `asked`, are the column `row`.

        Neither the ids that the queries exclude are recommended nor those that the filters of the pipeline exclude; the
        ids that they pin come first.
        """
        import polars as pl

        pipeline, target = self._pipeline, self.options.target
        exclude = pipeline.filters.exclude(queries, target).also(table.exclusion.take(asked))
        pool, slate = pipeline.answer(queries, target, n, exclude)
        if table.pinned is not None:
            slate = slate.behind(table.pinned.take(asked))
        shown = slate.ids != PADDING
        rows, places = np.nonzero(shown)
        frame = pl.DataFrame(
            {
                "row": asked[rows],
                "place": (places + 1).astype(np.int32),
                "id": self.recommender.data.vocabulary(target).ids.gather(slate.ids[shown]),
                "score": pl.Series(slate.scores[shown]).fill_nan(None),
                "served_by": pl.Series(slate.servers, dtype=pl.String).gather(slate.served_by[rows]),
            }
        )
        if pipeline.draws(target):
            frame = frame.with_columns(pl.Series(PROPENSITY, slate.extra(PROPENSITY)[shown]).fill_nan(None))
        if self.options.explain:
            frame = frame.with_columns(_contributions(pipeline, queries, pool, slate, shown))
        return frame


@lru_cache(maxsize=2)
def _loaded(
    path: Path, _version: tuple[int, int] | None, block: tuple[str, ...], plugins: tuple[Path | str, ...]
) -> Recommender:
    """Load the recommender of a bundle, once for equal arguments.

    `_version` identifies the content of the file, so that a bundle that has replaced another is loaded anew.
    """
    return load(path, block=block, plugins=plugins)


def _row_from(first: int) -> Callable[[int], str]:
    """Return the function that names a row of a table, if the first row of the table has the number `first`."""
    return lambda row: f"row {first + row}"


def _shifted(places: Places, start: int, row: int) -> str:
    """Return `places(start + row)`, the place of a row of a block that begins at the row `start` of a frame."""
    return places(start + row)


def _contributions(pipeline: Pipeline, queries: QueryBatch, pool: Pool, slate: Slate, shown: Bools) -> pl.Series:
    """Return the column `contributions` for the shown places of a slate, row by row.

    A value is a list of structs `label` and `value`, which is empty for ids from the fallback.
    """
    import polars as pl

    dtype = pl.List(pl.Struct({"label": pl.String, "value": pl.Float32}))
    summands = contributions(pipeline, queries, pool)
    columns = columns_of(pool.ids, slate.ids)[shown]
    rows = np.nonzero(shown)[0].astype(np.int32)
    if not summands:
        return pl.Series("contributions", [[]], dtype=dtype).new_from_index(0, len(rows))
    inside = columns != PADDING
    values = {label: _picked(summand, rows, columns, inside) for label, summand in summands.items()}
    frame = pl.DataFrame(values | {"": inside})
    structs = [pl.struct(pl.lit(label).alias("label"), pl.col(label).alias("value")) for label in values]
    listed = pl.when(pl.col("")).then(pl.concat_list(structs)).otherwise(pl.lit([], dtype=dtype))
    return frame.select(listed.cast(dtype).alias("contributions")).to_series()


def _picked(summand: Floats, rows: Ints, columns: Ints, inside: Bools) -> Floats:
    """Return the value of `summand` at each (row, column): float32, 0 where `inside` is False."""
    picked = np.zeros(len(rows), np.float32)
    picked[inside] = summand[rows[inside], columns[inside]]
    return picked


def _in_batches(frame: pl.DataFrame, like: object) -> Iterator[Any]:
    """Yield a frame in the class of `like`; a pyarrow Table in several chunks becomes several RecordBatches."""
    if type(like).__name__ == "RecordBatch" and _library(like) == "pyarrow":
        yield from _arrow_table(frame).to_batches()
    else:
        yield _like(frame, like)


def _like(frame: pl.DataFrame, like: object) -> Any:
    """Convert a Polars frame to the class of `like`, if that is a class of pyarrow or pandas; else return the frame."""
    library = _library(like)
    if library == "pandas":
        return frame.to_pandas()
    if library != "pyarrow":
        return frame
    table = _arrow_table(frame).combine_chunks()
    if type(like).__name__ != "RecordBatch":
        return table
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)


def _library(table: object) -> str:
    return type(table).__module__.partition(".")[0]


def _arrow_table(frame: pl.DataFrame) -> Any:
    """Return a frame as a pyarrow Table with the types that engines name: `string`, not `large_string`."""
    import pyarrow as pa

    types = {
        "place": pa.int32(),
        "score": pa.float32(),
        PROPENSITY: pa.float32(),
        "contributions": pa.list_(pa.struct({"label": pa.string(), "value": pa.float32()})),
    }
    return frame.to_arrow().cast(pa.schema([(name, types.get(name, pa.string())) for name in frame.columns]))
