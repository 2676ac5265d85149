"""Conversion of the published sources to the embedded Parquet files: equal input gives equal bytes.

python -m hybridrec.data.embedded.convert setlists FOLDER_WITH_YYYY.yaml
python -m hybridrec.data.embedded.convert movietweetings FOLDER_WITH_movies.dat_AND_ratings.dat
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from hybridrec.data.embedded import FOLDER
from hybridrec.errors import DataError


def setlists(source: Path, target: Path = FOLDER) -> None:
    """Convert gdshowsdb's yearly YAML files to setlists.parquet: one row per show, ordered by date.

    The columns are `show` (its date, plus the number of the show if the day had several), `date`, `venue`, `city`,
    `state`, `country`; and lists with one entry per performance: `songs`, `sets` (numbered from 1) and `segued` (true
    if it ran into the next song). Raises DataError if the folder has no such file.
    """
    years = sorted(source.glob("[12][0-9][0-9][0-9].yaml"))
    if not years:
        raise DataError(f"no YYYY.yaml in {source}")
    shows = [show for year in years for show in _shows(year)]
    schema = pl.Schema(
        {
            "show": pl.String(),
            "date": pl.Date(),
            **dict.fromkeys(("venue", "city", "state", "country"), pl.String()),
            "songs": pl.List(pl.String()),
            "sets": pl.List(pl.UInt8()),
            "segued": pl.List(pl.Boolean()),
        }
    )
    _write(pl.DataFrame(shows, schema).sort("date", "show"), target / "setlists.parquet")


def movietweetings(source: Path, target: Path = FOLDER) -> None:
    """Convert MovieTweetings' movies.dat and ratings.dat to two Parquet files.

    movietweetings-films has the columns `film` (IMDb number), `title`, `year` and `genres` (a list), ordered by film;
    movietweetings-ratings has `user`, `film`, `rating` (0 to 10) and `time` (seconds since 1970), ordered by user and
    time.
    """
    films = _double_colons(source / "movies.dat", ["film", "name", "genres"]).select(
        "film",
        pl.col("name").str.extract(r"^(.*) \(\d{4}\)$").alias("title"),
        pl.col("name").str.extract(r"\((\d{4})\)$").cast(pl.Int16).alias("year"),
        # A film without a genre has an empty list, not a genre without a name.
        pl.col("genres").str.split("|").list.eval(pl.element().filter(pl.element() != "")),
    )
    ratings = _double_colons(source / "ratings.dat", ["user", "film", "rating", "time"]).select(
        pl.col("user").cast(pl.Int32), "film", pl.col("rating").cast(pl.UInt8), pl.col("time").cast(pl.Int32)
    )
    _write(films.sort("film"), target / "movietweetings-films.parquet")
    _write(ratings.sort("user", "time", "film"), target / "movietweetings-ratings.parquet")


def _shows(year: Path) -> Iterator[dict[str, Any]]:
    """Yield a row of setlists.parquet for each show of a yearly file.

    A show is found under its date ("1977/05/08", or "1966/03/03/1" if there were several); its keys are Ruby symbols
    (":venue").
    """
    for key, show in yaml.safe_load(year.read_text("utf-8")).items():
        performances = [
            (song[":name"], number, song[":segued"])
            for number, songs in enumerate(show[":sets"] or [], start=1)
            for song in songs[":songs"] or []
        ]
        songs, sets, segued = map(list, zip(*performances, strict=True)) if performances else ([], [], [])
        yield {
            "show": key.replace("/", "-"),
            "date": datetime.strptime(key[:10], "%Y/%m/%d").date(),
            **{name: show[f":{name}"] for name in ("venue", "city", "state", "country")},
            "songs": songs,
            "sets": sets,
            "segued": segued,
        }


def _double_colons(path: Path, columns: list[str]) -> pl.DataFrame:
    """Read a file without a header, whose columns are separated by "::", as text columns of the given names."""
    lines = pl.Series("line", path.read_text("utf-8").splitlines())
    return lines.str.split_exact("::", len(columns) - 1).struct.rename_fields(columns).struct.unnest()


def _write(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", compression_level=22, statistics=False)
    print(f"{path}: {len(frame)} rows, {path.stat().st_size} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m hybridrec.data.embedded.convert")
    parser.add_argument("name", choices=["setlists", "movietweetings"])
    parser.add_argument("source", type=Path, help="the folder with the published files")
    arguments = parser.parse_args()
    {"setlists": setlists, "movietweetings": movietweetings}[arguments.name](arguments.source)
