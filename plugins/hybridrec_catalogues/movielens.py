"""Reader `movielens`: ratings, films, tags and users in the formats that GroupLens has published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, Reader, Tables, WeightOptions, assemble, text_files
from hybridrec_catalogues.layouts import Layout

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "MovieLens is at https://grouplens.org/datasets/movielens: free for research, with acknowledgement (F. M. Harper, "
    "J. A. Konstan 2015); commercial use needs permission"
)


@dataclass(frozen=True, slots=True)
class Edition:
    """Layouts of the files of one format.

    films: its field of genres is a single text, or flags, one for each line of the file `genres`
    genres: None if the genres of a film are a text
    """

    ratings: Layout
    films: Layout
    tags: Layout | None = None
    users: Layout | None = None
    genres: Layout | None = None

    @property
    def files(self) -> list[str]:
        """The names of all files of the format."""
        parts = (self.ratings, self.films, self.tags, self.users, self.genres)
        return [layout.file for layout in parts if layout is not None]


_ID, _RATING, _TIME = r"\d{1,9}", r"\d(?:\.\d+)?", r"\d{1,12}"


def _ratings(file: str, separator: str, header: bool = False) -> Layout:
    fields = [rf"(?<user>{_ID})", rf"(?<item>{_ID})", rf"(?<rating>{_RATING})", rf"(?<time>{_TIME})"]
    return Layout(file, rf"^{separator.join(fields)}$", "user, item, rating, time", header=header)


_DAT_FILMS = Layout("movies.dat", rf"^(?<item>{_ID})::(?<title>.*)::(?<genres>[^:]*)$", "item::title::genres")

EDITIONS = (
    Edition(
        ratings=_ratings("u.data", r"\t"),
        films=Layout(
            "u.item",
            rf"^(?<item>{_ID})\|(?<title>.*)\|(?<date>[^|]*)\|[^|]*\|[^|]*(?<flags>(?:\|[01]){{19}})$",
            "item|title|release date|video date|url and 19 flags of 0 or 1",
            encoding="latin-1",
        ),
        users=Layout(
            "u.user",
            rf"^(?<user>{_ID})\|(?<age>\d+)\|(?<gender>\w+)\|(?<occupation>[^|]*)\|[^|]*$",
            "user|age|gender|occupation|zip code",
        ),
        genres=Layout("u.genre", r"^(?<genre>[^|]+)\|(?<place>\d+)$", "genre|place"),
    ),
    Edition(
        ratings=_ratings("ratings.dat", "::"),
        films=Layout(_DAT_FILMS.file, _DAT_FILMS.fields, _DAT_FILMS.shown, encoding="latin-1"),
        users=Layout(
            "users.dat",
            rf"^(?<user>{_ID})::(?<gender>\w+)::(?<age>\d+)::(?<occupation>\d+)::.*$",
            "user::gender::age::occupation::zip code",
        ),
    ),
    Edition(
        ratings=_ratings("ratings.dat", "::"),
        films=_DAT_FILMS,
        tags=Layout("tags.dat", rf"^(?<user>{_ID})::(?<item>{_ID})::(?<tag>.+)::{_TIME}$", "user::item::tag::time"),
    ),
    Edition(
        ratings=_ratings("ratings.csv", ",", header=True),
        films=Layout(
            "movies.csv", rf"^(?<item>{_ID}),(?<title>.*),(?<genres>[^,]*)$", "item,title,genres", header=True
        ),
        tags=Layout(
            "tags.csv", rf"^(?<user>{_ID}),(?<item>{_ID}),(?<tag>.+),{_TIME}$", "user,item,tag,time", header=True
        ),
    ),
)
"""Formats of the data sets 100k, 1M and 10M, and the CSV of latest, 20M, 25M and 32M."""
HEADER = "userId,movieId,rating,timestamp"
"""First line of ratings.csv."""


class MovieLensOptions(text_files.BadLineOptions):
    """Options of `movielens`: the folder of the files, and the ratings that are read, with their weights."""

    folder: InputPath = Field(examples=["ml-latest-small"])
    """Folder of the unpacked files, which determine the format: `u.data` and others (100k), `ratings.dat` and others
    (1M, 10M), or `ratings.csv` and others (latest, 20M, 25M, 32M)."""

    min_rating: float = Field(default=0, ge=0, le=5)
    """Lowest rating that is read; films of which no rating is left are kept. Ratings range from 0.5 or 1 to 5."""

    weight: WeightOptions = WeightOptions()
    """Transformation of ratings to weights; `transform: binary` makes all ratings count the same."""


class MovieLensReader(Reader):
    """Films as items under their MovieLens numbers, with the title as text and the release as time.

    The release is 1 January of the year in the title if no date is known. Genres are tags ("genre:Drama"); genres, year
    ("year:1999") and decade ("decade:1990s") are features of films, and age, gender and occupation are features of the
    users of 100k and 1M. Tags that users gave to films are assignments.
    """

    name = "movielens"
    Config = MovieLensOptions
    config: MovieLensOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if one folder has the files of a format, else None.

        The names of the CSV files are common, so that their first line is checked, too.
        """
        for edition in EDITIONS:
            folder = text_files.folder_of(files, *edition.files)
            if folder is not None:
                named = text_files.first_line(folder / edition.ratings.file) == HEADER
                return {"folder": folder} if named == edition.ratings.header else None
        return None

    def read(self) -> Dataset:
        """Read films, users, tags and ratings of at least `min_rating`; raises DataError if a file is missing."""
        import polars as pl

        edition, folder = self._edition(), self.config.folder
        self.bad_lines = bad_lines = text_files.BadLines(strict=self.config.strict)
        films = self._films(edition)
        genres = films.select("item", id="genres").explode("id").filter(pl.col("id").str.len_chars() > 0)
        genres = genres.with_columns(id="genre:" + pl.col("id"))
        users = None if edition.users is None else edition.users.whole(folder, bad_lines, "user")
        return assemble(
            Tables(
                interactions=self._ratings(edition, films["item"]),
                entities={
                    "items": films.select("text", "time", id="item"),
                    "users": None if users is None else users.select(id="user"),
                },
                item_has={"tags": genres},
                assignments={"tags": self._assignments(edition, films["item"])},
                labels={
                    "items": pl.concat([genres.rename({"item": "id", "id": "feature"}), _years(films)]),
                    "users": None if users is None else _about(users),
                },
            ),
            self.config.weight,
        )

    def _edition(self) -> Edition:
        """Return the first format whose files are all in the folder; raises DataError if there is none."""
        folder = self.config.folder
        for edition in EDITIONS:
            if all((folder / file).is_file() for file in edition.files):
                return edition
        raise DataError(
            f"{folder} does not hold MovieLens: neither u.data, u.item, u.user and u.genre, nor ratings.dat and "
            f"movies.dat with users.dat or tags.dat, nor ratings.csv, movies.csv and tags.csv. {ORIGIN}"
        )

    def _ratings(self, edition: Edition, films: pl.Series) -> pl.DataFrame:
        """Read a frame with `user`, `item`, `time` and `weight` of each rating; raises DataError if none is left."""
        import polars as pl

        assert self.bad_lines is not None
        parts, path = [], self.config.folder / edition.ratings.file
        numbers = films.cast(pl.UInt32)
        for block in edition.ratings.blocks(self.config.folder, self.bad_lines):
            rows = block.select(
                "line",
                pl.col("user", "item").cast(pl.UInt32),
                weight=pl.col("rating").cast(pl.Float32),
                time=pl.col("time").cast(pl.Float64),
            )
            rows = text_files.only_known(rows, "item", numbers, path, self.bad_lines, "film")
            parts.append(rows.filter(pl.col("weight") >= self.config.min_rating).drop("line"))
        if not sum(map(len, parts)):
            raise DataError(f"{path} has no rating of {self.config.min_rating:g} or more")
        return pl.concat(parts)

    def _films(self, edition: Edition) -> pl.DataFrame:
        """Read a frame with `item`, `text`, `time` and `genres` (a list) of each film."""
        import polars as pl

        assert self.bad_lines is not None
        films = edition.films.whole(self.config.folder, self.bad_lines, "item")
        if edition.genres is None:
            films = films.with_columns(
                text_files.unquoted("title"),
                genres=pl.col("genres").str.split("|").list.set_difference(["(no genres listed)"]),
                date=pl.lit(None, pl.String),
            )
        else:
            names = edition.genres.whole(self.config.folder, self.bad_lines).sort(pl.col("place").cast(pl.Int32))
            flags = pl.col("flags").str.strip_prefix("|").str.split("|")
            misfit = films.select(flags.list.len() != len(names)).to_series()
            if misfit.any():
                path, lines = self.config.folder / edition.films.file, films.filter(misfit)["line"].to_list()
                self.bad_lines.add(path, lines, f"not a flag for each of the {len(names)} genres")
                films = films.filter(~misfit)
            named = [
                pl.when(flags.list.get(place) == "1").then(pl.lit(name)) for place, name in enumerate(names["genre"])
            ]
            films = films.with_columns(genres=pl.concat_list(named).list.drop_nulls())
        released = pl.col("date").str.to_date("%d-%b-%Y", strict=False)
        first_day = pl.date(pl.col("title").str.extract(r"\((\d{4})\)\s*$").cast(pl.Int32), 1, 1)
        time = pl.coalesce(released, first_day).dt.epoch("s").cast(pl.Float64)
        return films.select("item", "genres", text="title", time=time)

    def _assignments(self, edition: Edition, films: pl.Series) -> pl.DataFrame | None:
        """Read a frame with `user`, `item` and `id` (the tag) of each assignment; None if the format has no tags."""
        if edition.tags is None:
            return None
        assert self.bad_lines is not None
        rows = edition.tags.whole(self.config.folder, self.bad_lines)
        rows = text_files.only_known(
            rows, "item", films, self.config.folder / edition.tags.file, self.bad_lines, "film"
        )
        return rows.select("user", "item", text_files.unquoted("tag").alias("id"))


def _years(films: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `id` and `feature`: "year:1999" and "decade:1990s" of each film with a known year."""
    import polars as pl

    year = pl.from_epoch(pl.col("time").cast(pl.Int64)).dt.to_string("%Y")
    named = ("year:" + year, "decade:" + year.str.head(3) + "0s")
    return pl.concat([films.select(id="item", feature=feature).drop_nulls() for feature in named])


def _about(users: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `id` and `feature`: age, gender and occupation of each user."""
    import polars as pl

    return pl.concat(
        [users.select(id="user", feature=f"{kind}:" + pl.col(kind)) for kind in ("age", "gender", "occupation")]
    )
