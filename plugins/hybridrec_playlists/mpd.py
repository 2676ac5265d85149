"""Reader `mpd`: the slices of the Million Playlist Dataset, and its challenge set."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from itertools import islice
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, Query, Reader, Tables, assemble, text_files

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "The Million Playlist Dataset is distributed by Spotify Research, for research, under its own terms; its challenge "
    "is at https://www.aicrowd.com/challenges/spotify-million-playlist-dataset-challenge"
)
SLICE = re.compile(r"mpd\.slice\.(\d+)-\d+\.json")


class MPDOptions(text_files.BadLineOptions):
    """Options of `mpd`: the files, and the number of slices that are read."""

    folder: InputPath = Field(examples=["mpd"])
    """Folder of the files mpd.slice.0-999.json and so on."""

    slices: int | None = Field(default=None, ge=1)
    """Number of slices to read, of 1,000 playlists each, from the first on; all by default."""

    challenge: InputPath | None = None
    """Path of challenge_set.json: its 10,000 playlists become users, too, with their visible tracks and titles, and
    may be used for training. `hybridrec export --format mpd --set questions=FILE` writes recommendations for the
    hidden tracks."""


class MPDReader(Reader):
    """Playlists as users under their `pid`, with the name as title and the last change as time; tracks as items.

    The id of a track is its URI, and its text has the artist and the name. Artist and album are features
    ("artist:spotify:...").
    Playlists are read one by one, and their tracks are kept as numbers only.
    """

    name = "mpd"
    Config = MPDOptions
    config: MPDOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if the files have all slices of one folder, and no slice of another folder, else None."""
        slices = {file for file in files if SLICE.fullmatch(file.name)}
        folders = {file.parent for file in slices}
        if len(folders) != 1 or slices != set(_slices(folder := folders.pop()).values()):
            return None
        return {"folder": folder}

    def read(self) -> Dataset:
        """Read the playlists, whose tracks keep their order; raises DataError if no slice file is in the folder."""
        import polars as pl

        folder = self.config.folder
        slices = _slices(folder)
        paths = [slices[start] for start in sorted(slices)][: self.config.slices]
        if not paths:
            raise DataError(f"{folder}: no file named like mpd.slice.0-999.json. {ORIGIN}")
        if self.config.challenge is not None:
            text_files.check_file(self.config.challenge, ORIGIN)
            paths.append(self.config.challenge)
        self.bad_lines = text_files.BadLines(strict=self.config.strict)
        gathered = _Playlists()
        for path in paths:
            gathered.read(path, self.bad_lines)
        if not len(gathered.tracks):
            raise DataError(f"{folder}: the playlists contain no track")
        tracks = pl.concat(gathered.about)
        return assemble(
            Tables(
                interactions=gathered.interactions(),
                entities={"users": gathered.users(), "items": tracks.select("id", "text")},
                labels={
                    "items": pl.concat(
                        [tracks.select("id", feature=f"{kind}:" + pl.col(kind)) for kind in ("artist", "album")]
                    )
                },
            )
        )


def read_questions(path: Path, bad_lines: text_files.BadLines) -> dict[str, Query]:
    """Read the playlists of challenge_set.json as queries: pid -> visible part.

    Raises DataError if the file is missing.
    """
    text_files.check_file(path, ORIGIN)
    gathered = _Playlists()
    gathered.read(path, bad_lines)
    return gathered.questions()


def _slices(folder: Path) -> dict[int, Path]:
    """Return the slices in a folder: number of the first playlist -> path."""
    return {int(match[1]): path for path in folder.glob("*.json") if (match := SLICE.fullmatch(path.name))}


class _Playlists:
    """Playlists read so far, and their tracks, which are kept as numbers."""

    def __init__(self) -> None:
        self.tracks = text_files.Numbering()
        self.codes: list[pl.Series] = []
        self.about: list[pl.DataFrame] = []
        self.ids, self.lengths, self.changed = array("q"), array("q"), array("d")
        self.titles: list[str] = []
        self._known: set[int] = set()

    def read(self, path: Path, bad_lines: text_files.BadLines) -> None:
        """Add the playlists of a file; broken and repeated ones go to `bad_lines`."""
        import polars as pl

        rows: list[tuple[str, str, str, str]] = []
        for line, playlist in text_files.read_elements(path, bad_lines, "playlists"):
            try:
                number, tracks = int(playlist["pid"]), _tracks(playlist)
                title, changed = str(playlist.get("name", "")), float(playlist.get("modified_at", "nan"))
            except (KeyError, TypeError, ValueError):
                bad_lines.add(path, [line], "no playlist with pid and tracks, each with URIs and names")
                continue
            if number in self._known:
                bad_lines.add(path, [line], f"playlist {number} occurs again")
                continue
            self._known.add(number)
            self.ids.append(number)
            self.titles.append(title)
            self.changed.append(changed)
            self.lengths.append(len(tracks))
            rows += tracks
        names = ["id", "artist", "album", "text"]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
        before = len(self.tracks)
        codes = self.tracks.codes(frame["id"])
        self.codes.append(codes)
        self.about.append(frame.filter(codes >= before).unique("id", keep="first", maintain_order=True))

    def interactions(self) -> pl.DataFrame:
        """Return a frame with `user`, `item` and `time`, in the order of the tracks."""
        import polars as pl

        lengths = np.asarray(self.lengths)
        return pl.DataFrame(
            {
                "user": np.repeat(np.asarray(self.ids), lengths),
                "item": self.tracks.texts(pl.concat(self.codes)),
                "time": np.repeat(np.asarray(self.changed), lengths),
            }
        )

    def users(self) -> pl.DataFrame:
        """Return a frame with `id`, `text` (the title) and `time` of each playlist."""
        import polars as pl

        ids = pl.Series(np.asarray(self.ids)).cast(pl.String)
        return pl.DataFrame({"id": ids, "text": self.titles, "time": np.asarray(self.changed)})

    def questions(self) -> dict[str, Query]:
        """Return the visible part of each playlist: pid -> query."""
        tracks = iter(self.interactions()["item"])
        return {
            playlist: Query(items=list(islice(tracks, length)), text=title, time=None if isnan(time) else time)
            for (playlist, title, time), length in zip(self.users().iter_rows(), self.lengths, strict=True)
        }


def _tracks(playlist: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return for each track, in order, its URI, the URIs of its artist and album, and the text "artist - name"."""
    return [
        (t["track_uri"], t["artist_uri"], t["album_uri"], t["artist_name"] + " - " + t["track_name"])
        for t in playlist["tracks"]
    ]
