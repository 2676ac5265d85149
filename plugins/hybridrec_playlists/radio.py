"""Reader `radio`: a week of 25 classic rock stations, as FiveThirtyEight published it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hybridrec import Dataset, InputPath, Reader, Tables, assemble, text_files

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "Classic Rock is at https://github.com/fivethirtyeight/data/tree/master/classic-rock, under CC BY 4.0 "
    "(FiveThirtyEight)"
)
PLAYS, SONGS = "classic_rock_raw_data.csv", "classic-rock-song-list.csv"
PLAY_COLUMNS = ("song", "artist", "callsign", "time", "date_time", "unique_id", "combined")
SONG_COLUMNS = ("song", "artist", "year", "combined", "first", "dated", "plays", "first_by_plays")


class RadioOptions(text_files.BadLineOptions):
    """Options of `radio`: the folder of the files, and the length of a list."""

    folder: InputPath = Field(examples=["classic-rock"])
    """Folder of classic_rock_raw_data.csv and classic-rock-song-list.csv."""

    length: int | None = Field(default=None, ge=2)
    """Number of plays in a list: a station's plays are divided into lists of this length, with a shorter last one. By
    default all plays of a station are one list."""


class RadioReader(Reader):
    """Lists of plays as users ("KGLK-1" is the first list of that station), songs as items ("Song by Artist").

    The broadcast order is that of the number in `unique_id`, descending; the times, at which a station's plays were
    read from the web, follow it only roughly. Artist, year and decade of a song are its tags and features; the file of
    songs, from which the years come, lacks a song or two.
    """

    name = "radio"
    Config = RadioOptions
    config: RadioOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if one folder has both files of this data set, else None."""
        folder = text_files.folder_of(files, PLAYS, SONGS)
        return None if folder is None else {"folder": folder}

    def read(self) -> Dataset:
        """Read all plays; raises DataError if a file is missing."""
        import polars as pl

        folder = self.config.folder
        for file in (PLAYS, SONGS):
            text_files.check_file(folder / file, ORIGIN)
        self.bad_lines = text_files.BadLines(strict=self.config.strict)
        plays = self._plays()
        songs = pl.concat([self._songs(), plays.select("combined", "artist", year=pl.lit(None, pl.String))])
        songs = songs.unique("combined", keep="first", maintain_order=True)
        labels = _labels(songs)
        return assemble(
            Tables(
                interactions=plays.select("user", "time", "position", item="combined"),
                entities={"items": songs.select(id="combined", text="combined")},
                item_has={"tags": labels.rename({"label": "id"})},
                labels={"items": labels.rename({"item": "id", "label": "feature"})},
            )
        )

    def _plays(self) -> pl.DataFrame:
        """Read a frame with `user`, `combined`, `artist`, `time` and `position`, in broadcast order."""
        import polars as pl

        assert self.bad_lines is not None
        path = self.config.folder / PLAYS
        rows = text_files.parse_whole(
            path, text_files.csv_pattern(*PLAY_COLUMNS), ",".join(PLAY_COLUMNS), self.bad_lines
        )
        rows = rows.with_columns(
            text_files.unquoted("combined"),
            text_files.unquoted("artist"),
            number=pl.col("unique_id").str.extract(r"(\d+)$").cast(pl.Int32, strict=False),
            time=pl.col("time").cast(pl.Float64, strict=False),
        )
        header = (rows["line"] == 1) & rows["number"].is_null()
        broken = rows.filter(~header & (rows["number"].is_null() | rows["time"].is_null()))
        self.bad_lines.add(path, broken["line"].to_list(), "no play with a time and a numbered unique_id")
        rows = rows.drop_nulls(["number", "time"])
        rows = rows.sort("callsign", "number", descending=[False, True])
        length = self.config.length or len(rows)
        place = pl.int_range(pl.len()).over("callsign") // length + 1
        user = pl.col("callsign") + "-" + place.cast(pl.String)
        return rows.select("combined", "artist", "time", user=user, position=-pl.col("number"))

    def _songs(self) -> pl.DataFrame:
        """Read a frame with `combined`, `artist` and `year` (null if unknown) of each song."""
        import polars as pl

        assert self.bad_lines is not None
        path = self.config.folder / SONGS
        rows = text_files.parse_whole(
            path, text_files.csv_pattern(*SONG_COLUMNS), ",".join(SONG_COLUMNS), self.bad_lines
        )
        rows = rows.filter((pl.col("line") > 1) | pl.col("plays").str.contains(r"^\d+$"))
        rows = rows.with_columns(
            text_files.unquoted("combined"), text_files.unquoted("artist"), pl.col("year").str.extract(r"^(\d{4})$")
        )
        rows = text_files.first_of_each(rows, "combined", path, self.bad_lines, "song")
        return rows.select("combined", "artist", "year")


def _labels(songs: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `item` and `label`: "artist:...", "year:..." and "decade:..." of each song."""
    import polars as pl

    year = pl.col("year")
    kinds = ("artist:" + pl.col("artist"), "year:" + year, "decade:" + year.str.head(3) + "0s")
    return pl.concat([songs.select(item="combined", label=label) for label in kinds]).drop_nulls()
