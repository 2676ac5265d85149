"""Reader `setlists`: every Grateful Dead show as a playlist, embedded in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, get_args

from pydantic import Field

from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset
from hybridrec.data.embedded import FOLDER
from hybridrec.data.io.columns import seconds
from hybridrec.data.readers.base import Reader
from hybridrec.plugin import Options

if TYPE_CHECKING:
    import polars as pl

TagKind: TypeAlias = Literal[
    "year", "decade", "month", "weekday", "season", "tour", "lineup", "country", "state", "city", "venue"
]

LINEUPS = (
    ("1965-01-01", "Pigpen"),
    ("1968-11-23", "Constanten"),
    ("1970-02-01", "Pigpen"),
    ("1971-10-19", "Keith Godchaux"),
    ("1979-04-22", "Brent Mydland"),
    ("1990-09-07", "Vince Welnick"),
)
"""The date of the first show of each keyboard player, by whose names the band's periods are usually called."""


class SetlistsOptions(Options):
    """Selection of performances and tags of the shows."""

    drop: tuple[str, ...] = ("Drums", "Space", "Jam")
    """Songs to drop: by default the improvised parts, which nearly every later show has."""

    min_items: int = Field(default=1, ge=0)
    """Drop shows with fewer distinct songs, after `drop`; 0 keeps shows without any."""

    tags: tuple[TagKind, ...] = get_args(TagKind)
    """The kinds of tags of each show, as "kind:value" ("year:1977", "tour:1977 spring")."""

    venues: bool = False
    """Make the venue of each show, with its city, an entity of the kind `venues`, which can be a target."""


class SetlistsReader(Reader):
    """Shows as users, songs as items.

    Songs are in order of performance, with repeats; their time is the show's date. The title of a show is its venue
    and city. All tags derive from its date and place, never from the songs played.
    """

    name: ClassVar[str] = "setlists"
    Config = SetlistsOptions
    config: SetlistsOptions

    def read(self) -> Dataset:
        """Read the shows that have at least `min_items` distinct songs; the songs in the option `drop` are left out."""
        import polars as pl

        shows = (
            pl.read_parquet(FOLDER / "setlists.parquet", glob=False)
            .with_columns(pl.col("songs").list.eval(pl.element().filter(~pl.element().is_in(self.config.drop))))
            .filter(pl.col("songs").list.n_unique() >= self.config.min_items)
        )
        return assemble(
            Tables(
                interactions=_performances(shows),
                entities={
                    "users": shows.select(
                        id="show", text=pl.concat_str("venue", "city", separator=", ", ignore_nulls=True)
                    ),
                    "items": shows.select(id=pl.col("songs").explode()).drop_nulls().unique().with_columns(text="id"),
                },
                user_has={
                    "tags": _tags(shows).filter(pl.col("kind").is_in(self.config.tags)).drop("kind"),
                    "venues": _venues(shows) if self.config.venues else None,
                },
            )
        )


def _performances(shows: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `user`, `item` and `time`, a row for each performance of a song, in order in each show."""
    return shows.select(user="show", item="songs", time=seconds(shows["date"])).explode("item").drop_nulls("item")


def _venues(shows: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `user` (the show) and `id` (its venue with the city, since halls share names)."""
    import polars as pl

    place = pl.concat_str("venue", "city", separator=", ", ignore_nulls=True)
    return shows.drop_nulls("venue").select(user="show", id=place)


def _tags(shows: pl.DataFrame) -> pl.DataFrame:
    """Derive tags from the date and the place of each show: the columns `kind`, `user` and `id`, a row per tag."""
    import polars as pl

    date = pl.col("date")
    # Winter belongs to the year in which it ends, so that no tour is cut at New Year's Eve.
    quarter = date.dt.offset_by("1mo")
    season = quarter.dt.quarter().replace_strict({1: "winter", 2: "spring", 3: "summer", 4: "fall"})
    starts = pl.DataFrame(LINEUPS, ["since", "lineup"], orient="row").with_columns(pl.col("since").str.to_date())
    kinds = {
        "year": date.dt.to_string("%Y"),
        "decade": date.dt.to_string("%Y").str.head(3) + "0s",
        "month": date.dt.to_string("%m"),
        "weekday": date.dt.to_string("%A"),
        "season": season,
        "tour": quarter.dt.to_string("%Y ") + season,
    }
    return (
        shows.join_asof(starts, left_on="date", right_on="since")
        .with_columns(**kinds)
        .unpivot([*kinds, "lineup", "country", "state", "city", "venue"], index="show", variable_name="kind")
        .drop_nulls("value")
        .select("kind", user="show", id=pl.col("kind") + ":" + pl.col("value"))
    )
