"""Reader `movietweetings`: film ratings with their times, embedded in the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from hybridrec.data.builder import Tables, assemble
from hybridrec.data.dataset import Dataset
from hybridrec.data.embedded import FOLDER
from hybridrec.data.io.columns import seconds
from hybridrec.data.readers.base import Reader
from hybridrec.data.transforms import WeightOptions
from hybridrec.plugin import Options

if TYPE_CHECKING:
    import polars as pl


class MovieTweetingsOptions(Options):
    """Selection of ratings, and the weight of each."""

    min_rating: int = Field(default=1, ge=1, le=10)
    """Lower ratings are dropped, with users and films that have no others; ratings range from 0 to 10."""

    genres: Literal["tags", "genres"] = "tags"
    """The kind of entities that genres are: tags of the films, or a kind of their own."""

    weight: WeightOptions = WeightOptions()
    """Transformation of ratings to weights; `transform: binary` makes all ratings count the same."""


class MovieTweetingsReader(Reader):
    """Films as items under their IMDb numbers, with the title as text and 1 January of the year as time.

    Genres are tags ("genre:Drama"); genres, year ("year:1999") and decade ("decade:1990s") are features.
    """

    name: ClassVar[str] = "movietweetings"
    Config = MovieTweetingsOptions
    config: MovieTweetingsOptions

    def read(self) -> Dataset:
        """Read the ratings of at least `min_rating`, and the films that have such a rating."""
        import polars as pl

        ratings = pl.read_parquet(FOLDER / "movietweetings-ratings.parquet", glob=False).filter(
            pl.col("rating") >= self.config.min_rating
        )
        films = pl.read_parquet(FOLDER / "movietweetings-films.parquet", glob=False).join(
            ratings, on="film", how="semi"
        )
        genres = _genres(films)
        return assemble(
            Tables(
                interactions=ratings.select(
                    user=pl.col("user").cast(pl.String),
                    item="film",
                    time=pl.col("time").cast(pl.Float64),
                    weight=pl.col("rating").cast(pl.Float32),
                ),
                entities={
                    "items": films.select(
                        id="film", text="title", time=seconds(films.select(pl.date("year", 1, 1)).to_series())
                    )
                },
                item_has={self.config.genres: genres},
                labels={"items": pl.concat([genres.rename({"item": "id", "id": "feature"}), _years(films)])},
            ),
            self.config.weight,
        )


def _genres(films: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    genres = films.select("genres", item="film").explode("genres").drop_nulls()
    return genres.select("item", id="genre:" + pl.col("genres"))


def _years(films: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    year = pl.col("year").cast(pl.String)
    return pl.concat(
        [
            films.select(id="film", feature="year:" + year),
            films.select(id="film", feature="decade:" + year.str.head(3) + "0s"),
        ]
    )
