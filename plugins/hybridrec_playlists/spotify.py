"""Reader `spotify`: the Spotify Playlists Dataset, rows of user, artist, track and playlist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, Reader, Tables, assemble, text_files

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "The Spotify Playlists Dataset is at https://zenodo.org/records/2594557, under CC BY 4.0 (M. Pichl, E. Zangerle, "
    "G. Specht 2015)"
)
# Every field is quoted, but quotes inside are not always doubled, so `","` separates the fields.
ROW = r'^"(?<user>[^"]*)","(?<artist>.+?)","(?<track>.+?)","(?<playlist>.*)"$'
LAYOUT = '"user_id","artistname","trackname","playlistname"'


class SpotifyOptions(text_files.BadLineOptions):
    """Options of `spotify`: the file, and the rows and playlists that are read."""

    path: InputPath = Field(examples=["spotify_dataset.csv"])
    """Path of spotify_dataset.csv. Some of its lines are malformed: `strict: false` skips them."""

    rows: int | None = Field(default=None, ge=1)
    """Number of lines to read, from the first row on; all by default."""

    min_items: int = Field(default=2, ge=1)
    """Smallest number of entries of a playlist; shorter ones are dropped."""

    fold_case: bool = False
    """Treat names of artists and tracks that differ only in upper and lower case as the same, in lower case."""


class SpotifyReader(Reader):
    """Playlists as users, with the id "user_id/playlistname" and the name as title; tracks as items.

    A track is identified by its name and artist alone, so its id and its text are "artist - track". The artist of a
    track is a feature.
    The file is read in blocks, and its rows are kept as numbers only.
    """

    name = "spotify"
    Config = SpotifyOptions
    config: SpotifyOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if exactly one file has the first line of this data set, else None.

        The options skip malformed lines, since the published file has some.
        """
        tables = [file for file in files if file.suffix == ".csv"]
        matching = [file for file in tables if text_files.first_line(file).replace(" ", "") == LAYOUT]
        return {"path": matching[0], "strict": False} if len(matching) == 1 else None

    def read(self) -> Dataset:
        """Read the playlists with at least `min_items` entries; raises DataError if there are none."""
        import polars as pl

        path = self.config.path
        text_files.check_file(path, ORIGIN)
        self.bad_lines = text_files.BadLines(strict=self.config.strict)
        playlists, tracks, artists = (text_files.Numbering() for _ in range(3))
        parts, owners = [], []
        last = None if self.config.rows is None else self.config.rows + 1
        for block in text_files.parse_lines(path, ROW, LAYOUT, self.bad_lines, header=True, last=last):
            rows = _cleaned(block, self.config.fold_case)
            before = len(tracks)
            pairs = rows.select(user=playlists.codes(rows["list"]), item=tracks.codes(rows["song"]))
            parts.append(pairs)
            songs = pl.DataFrame({"item": pairs["item"], "artist": artists.codes(rows["artist"])})
            owners.append(songs.filter(pl.col("item") >= before).unique(maintain_order=True))
        if not sum(map(len, parts)):
            raise DataError(f"{path}: no line is {LAYOUT}")
        plays = pl.concat(parts)
        entries = np.bincount(plays["user"].to_numpy(), minlength=len(playlists))
        plays = plays.filter(pl.Series(entries >= self.config.min_items).gather(plays["user"]))
        if not len(plays):
            raise DataError(f"{path}: no playlist has {self.config.min_items} entries")
        kept = plays["user"].unique(maintain_order=True)
        names = playlists.texts(kept).cast(pl.String)
        plays = plays.select(user=playlists.texts(plays["user"]), item=tracks.texts(plays["item"]))
        played = plays.select(id=pl.col("item").unique().cast(pl.String))
        owner = pl.concat(owners)
        return assemble(
            Tables(
                interactions=plays,
                entities={
                    "users": pl.DataFrame({"id": names}).with_columns(text=pl.col("id").str.replace("^[^/]*/", "")),
                    "items": played.with_columns(text="id"),
                },
                labels={
                    "items": pl.DataFrame(
                        {
                            "id": tracks.texts(owner["item"]),
                            "feature": "artist:" + artists.texts(owner["artist"]).cast(pl.String),
                        }
                    )
                },
            )
        )


def _cleaned(block: pl.DataFrame, fold_case: bool) -> pl.DataFrame:
    """Return a frame with `artist`, `list` and `song`, in which doubled or escaped quotes are single ones."""
    import polars as pl

    plain = (pl.col(name).str.replace_all(r'""|\\"', '"') for name in ("user", "artist", "track", "playlist"))
    rows = block.select(plain)
    if fold_case:
        rows = rows.with_columns(pl.col("artist", "track").str.to_lowercase())
    return rows.select(
        "artist", list=pl.col("user") + "/" + pl.col("playlist"), song=pl.col("artist") + " - " + pl.col("track")
    )
