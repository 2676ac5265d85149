"""Reader `qrels`: queries with their relevant ids, by which slates of other systems are judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, Options, Reader, Tables, assemble
from hybridrec_slates.files import read_ids, read_qrels, read_queries, read_slates

if TYPE_CHECKING:
    import polars as pl

QUERIES = "queries"
"""Name of the kind of entities whose vocabulary has the ids of the queries."""
PLACE = "place"
"""Name of the feature with the place of a query in the file; reports keep the order of the file."""


class QrelsOptions(Options):
    """Options of `qrels`: the files of relevant ids, queries, items and slates."""

    qrels: InputPath = Field(examples=["qrels.txt"])
    """File of the relevant ids: TREC text (query, iteration, id, relevance), or a table with the columns `query`, `id`
    and, if relevance is graded, `relevance`. Ids with a relevance of 0 or less are not relevant."""
    queries: InputPath | None = None
    """A table with a row for each query: `query`, `unit` (the user who asked, which statistics resample), and any
    columns whose values become segments. Without it, each query of `qrels` is a unit."""
    items: InputPath | None = None
    """A table with a row for each item that may be recommended: `id` and, if known, `title`. An id of
    another file that the table lacks is an error. Without the table the items are the ids of the other files."""
    slates: tuple[InputPath, ...] = ()
    """Files of slates, whose ids are items, too."""


class QrelsReader(Reader):
    """Queries and their relevant ids as data for the splitter `judged`; nothing else is known of them."""

    name = "qrels"
    Config = QrelsOptions
    config: QrelsOptions

    def read(self) -> Dataset:
        """Read all files; raises DataError for a query or an id that another file lacks, and names it."""
        import polars as pl

        relevant = read_qrels(self.config.qrels)
        queries = self._queries(relevant)
        slates = [(path, read_slates(path)) for path in self.config.slates]
        items = self._items(relevant, slates)
        for path, frame in slates:
            _refuse_unknown(path, "query", frame["query"], queries["query"], str(self.config.qrels))
        columns = [name for name in queries.columns if name not in ("query", "unit", PLACE)]
        rows = relevant.join(queries, on="query", how="inner", maintain_order="left")
        interactions = rows.select(
            pl.col("unit").alias("user"),
            pl.col("id").alias("item"),
            pl.col("relevance").cast(pl.Float32).alias("weight"),
            pl.col(PLACE).alias("group"),
            *columns,
        )
        return assemble(
            Tables(
                interactions=interactions,
                entities={
                    "users": queries.select(id="unit").unique(maintain_order=True),
                    "items": items,
                    QUERIES: queries.select(id="query"),
                },
                features={QUERIES: queries.select(id="query", place=pl.col(PLACE).cast(pl.Float64))},
                context=columns,
            )
        )

    def _queries(self, relevant: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with `query`, `unit`, `place` and the other columns of the queries that have a relevant id."""
        import polars as pl

        asked = relevant.select("query").unique(maintain_order=True)
        if self.config.queries is None:
            queries = asked.with_columns(unit="query")
        else:
            queries = read_queries(self.config.queries)
            path = self.config.qrels
            _refuse_unknown(path, "query", relevant["query"], queries["query"], str(self.config.queries))
            if clash := sorted({*queries.columns} & {"user", "item", "time", "weight", "position", "group", PLACE}):
                raise DataError(f"{self.config.queries}: the column {clash[0]!r} has another meaning; rename it")
            queries = queries.join(asked, on="query", how="semi", maintain_order="left")
        return queries.with_row_index(PLACE).with_columns(pl.col(PLACE).cast(pl.Int32))

    def _items(self, relevant: pl.DataFrame, slates: list[tuple[Path, pl.DataFrame]]) -> pl.DataFrame:
        import polars as pl

        if self.config.items is None:
            return pl.concat([relevant.select("id"), *(frame.select("id") for _, frame in slates)]).unique(
                maintain_order=True
            )
        items = read_ids(self.config.items)
        for path, frame in ((self.config.qrels, relevant), *slates):
            _refuse_unknown(path, "id", frame["id"], items["id"], str(self.config.items))
        return items


def _refuse_unknown(path: Path, column: str, values: pl.Series, vocabulary: pl.Series, place: str) -> None:
    unknown = values.filter(~values.is_in(vocabulary.implode())).unique(maintain_order=True)
    if len(unknown):
        raise DataError(f"{path}: {column} {unknown[0]!r} is not in {place} ({len(unknown)} such, each an error)")
