"""Reader `melon`: the playlists of the Melon Playlist Continuation challenge (Kakao Arena 2020)."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from itertools import islice
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, ItemVectors, Query, Reader, Tables, assemble, text_files

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "The Melon Playlist Dataset is at https://mtg.github.io/melon-dataset, for research, on request and under its "
    "terms (A. Ferraro and others, 2021)"
)
SONGS, GENRES = "song_meta.json", "genre_gn_all.json"
LIKES = "likes"
"""Name of the feature of users that is the number of likes of a playlist."""


class MelonOptions(text_files.BadLineOptions):
    """Options of `melon`: the files, and the parts of them that are read."""

    folder: InputPath = Field(examples=["melon"])
    """Folder of song_meta.json, genre_gn_all.json and the files of playlists."""

    playlists: tuple[str, ...] = Field(default=("train.json",), min_length=1)
    """Files of playlists in the folder. The part of the playlists in val.json and test.json that the challenge hides
    is not published; their visible part may be used for training. `hybridrec export --format melon --set
    questions=FILE` writes recommendations for the hidden part."""

    features: tuple[Literal["genre", "artist", "album"], ...] = ("genre", "artist")
    """Properties of a song that become features, by code and name: "album:2727 Debut"."""

    unplayed: bool = False
    """Include songs that are on no playlist, so that they can be recommended."""

    likes: bool = False
    """Read the number of likes of a playlist, as the feature `likes` of users."""

    item_vectors: ItemVectors | None = None
    """Dense content of songs, for example vectors that `hybridrec reduce` made of the challenge's spectrograms."""


class MelonReader(Reader):
    """Playlists as users, with title, tags and the last change as time; songs as items.

    The text of a song has its artists and its name. The time of a song is its release date, or the first day of the
    year or month if no more is known. The genres of a song are features, together with all genres above them in the
    tree: GN0105 is in GN0100.
    """

    name = "melon"
    version = "2"
    Config = MelonOptions
    config: MelonOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if one folder has train.json and the files of its metadata, else None."""
        folder = text_files.folder_of(files, "train.json", SONGS, GENRES)
        return None if folder is None else {"folder": folder}

    def read(self) -> Dataset:
        """Read the playlists; raises DataError if a file is missing."""
        import polars as pl

        folder = self.config.folder
        for file in (*self.config.playlists, SONGS, GENRES):
            text_files.check_file(folder / file, ORIGIN)
        self.bad_lines = text_files.BadLines(strict=self.config.strict)
        lists = _Playlists()
        for file in self.config.playlists:
            lists.read(folder / file, self.bad_lines)
        if not lists.songs:
            raise DataError(f"{folder}: the playlists of {', '.join(self.config.playlists)} contain no song")
        songs = _Songs(None if self.config.unplayed else {*lists.songs})
        songs.read(folder / SONGS, self.bad_lines)
        genres = _genre_names(folder / GENRES)
        sound = self.config.item_vectors
        return assemble(
            Tables(
                interactions=lists.interactions(pl.Series(songs.ids, dtype=pl.UInt32), self.bad_lines),
                entities={"users": lists.users(), "items": songs.items()},
                user_has={"tags": lists.tag_rows()},
                labels={"items": songs.features(self.config.features, genres)},
                features={"users": lists.likes()} if self.config.likes else {},
                vectors={} if sound is None else {"items": sound.read(self.bad_lines, self.frames)},
            )
        )


def read_questions(path: Path, bad_lines: text_files.BadLines) -> dict[str, Query]:
    """Read the playlists of val.json or test.json as queries: id -> visible part, with the time of the last change.

    Raises DataError if the file is missing.
    """
    text_files.check_file(path, ORIGIN)
    lists = _Playlists()
    lists.read(path, bad_lines)
    return lists.questions()


class _Playlists:
    """Playlists read so far, as parallel arrays and lists; their songs, and their tags, are concatenated."""

    def __init__(self) -> None:
        self.places: list[tuple[Path, int]] = []
        self.ids, self.songs = array("I"), array("I")
        self.lengths, self.tag_counts = array("I"), array("I")
        self.titles: list[str] = []
        self.changed: list[str] = []
        self.liked = array("d")
        self.tags: list[str] = []
        self._known: set[int] = set()

    def read(self, path: Path, bad_lines: text_files.BadLines) -> None:
        """Add the playlists of a file; broken and repeated ones go to `bad_lines`."""
        for line, entry in text_files.read_elements(path, bad_lines):
            try:
                playlist, songs = array("I", [entry["id"]])[0], array("I", entry["songs"])
                title, tags, changed = entry["plylst_title"], entry["tags"], entry["updt_date"]
                likes = float(entry.get("like_cnt", "nan"))
                text = title + changed + "".join(tags)
            except (KeyError, TypeError, ValueError, OverflowError):
                text = None
            if text is None:
                bad_lines.add(path, [line], "no playlist with id, plylst_title, songs, tags and updt_date")
            elif playlist in self._known:
                bad_lines.add(path, [line], f"playlist {playlist} occurs again")
            else:
                self._known.add(playlist)
                self.places.append((path, line))
                self.ids.append(playlist)
                self.songs.extend(songs)
                self.lengths.append(len(songs))
                self.titles.append(title)
                self.changed.append(changed)
                self.liked.append(likes)
                self.tags += tags
                self.tag_counts.append(len(tags))

    def interactions(self, songs: pl.Series, bad_lines: text_files.BadLines) -> pl.DataFrame:
        """Return a frame with `user`, `item` and `time`, without items that are not among `songs`."""
        import polars as pl

        lengths = np.asarray(self.lengths)
        rows = pl.DataFrame(
            {
                "user": np.repeat(np.asarray(self.ids), lengths),
                "item": np.asarray(self.songs),
                "time": np.repeat(self._times().to_numpy(), lengths),
                "place": np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths),
            }
        )
        strange = rows.filter(~pl.col("item").is_in(songs.implode())).unique("place", keep="first", maintain_order=True)
        for place, song in strange.select("place", "item").iter_rows():
            path, line = self.places[place]
            bad_lines.add(path, [line], f"song {song} is not in {SONGS}")
        return rows.filter(pl.col("item").is_in(songs.implode())).drop("place")

    def users(self) -> pl.DataFrame:
        """Return a frame with `id`, `text` (the title) and `time` of each playlist."""
        import polars as pl

        ids = pl.Series(np.asarray(self.ids)).cast(pl.String)
        return pl.DataFrame({"id": ids, "text": self.titles, "time": self._times()})

    def questions(self) -> dict[str, Query]:
        """Return the visible part of each playlist: id -> query."""
        songs, tags = iter(self.songs), iter(self.tags)
        rows = zip(self.users().iter_rows(), self.liked, self.lengths, self.tag_counts, strict=True)
        return {
            playlist: Query(
                items=[str(song) for song in islice(songs, n_songs)],
                tags=list(islice(tags, n_tags)),
                text=title,
                time=time,
                user_features={} if isnan(likes) else {LIKES: likes},
            )
            for (playlist, title, time), likes, n_songs, n_tags in rows
        }

    def likes(self) -> pl.DataFrame:
        """Return a frame with `id` and `likes` of each playlist, null if unknown."""
        import polars as pl

        ids = pl.Series(np.asarray(self.ids)).cast(pl.String)
        return pl.DataFrame({"id": ids, LIKES: pl.Series(np.asarray(self.liked)).fill_nan(None)})

    def tag_rows(self) -> pl.DataFrame:
        """Return a frame with `user` and `id` (the tag), a row for each tag of a playlist."""
        import polars as pl

        owners = np.repeat(np.asarray(self.ids), np.asarray(self.tag_counts))
        return pl.DataFrame({"user": owners, "id": pl.Series(self.tags, dtype=pl.String)})

    def _times(self) -> pl.Series:
        """Parse the dates of the last changes to seconds since 1970, NaN for invalid ones."""
        import polars as pl

        return text_files.parse_times(pl.Series(self.changed, dtype=pl.String)).fill_null(float("nan"))


class _Songs:
    """Songs of song_meta.json that were read so far: the songs in `wanted`, or all songs if it is None."""

    def __init__(self, wanted: set[int] | None) -> None:
        self.wanted = wanted
        self.ids = array("I")
        self.texts: list[str] = []
        self.issued: list[str] = []
        self.labels: dict[str, list[list[str]]] = {"genre": [], "artist": [], "album": []}
        self.names: dict[str, dict[str, str]] = {"artist": {}, "album": {}}

    def read(self, path: Path, bad_lines: text_files.BadLines) -> None:
        """Add the wanted songs of the file; broken and repeated ones go to `bad_lines`."""
        numbers: set[int] = set()
        for line, song in text_files.read_elements(path, bad_lines):
            try:
                number = song["id"]
                if number in numbers:
                    bad_lines.add(path, [line], f"song {number} occurs again")
                elif self.wanted is None or number in self.wanted:
                    self._add(song)
                    numbers.add(number)
            except (KeyError, TypeError, OverflowError):
                bad_lines.add(path, [line], "no song with id, song_name, artists, genres, album_id and issue_date")

    def _add(self, song: dict[str, Any]) -> None:
        """Add one song, completely or not at all."""
        genres = [*song["song_gn_gnr_basket"], *song["song_gn_dtl_gnr_basket"]]
        above = [f"{code[:-2]}00" for code in genres]
        text = ", ".join(song["artist_name_basket"]) + f" - {song['song_name']}"
        artists, album = [str(artist) for artist in song["artist_id_basket"]], str(song["album_id"])
        labels = {"genre": sorted({*genres, *above}), "artist": artists, "album": [album]}
        issued = str(song["issue_date"])
        self.ids.append(song["id"])
        self.texts.append(text)
        self.issued.append(issued)
        for kind, values in labels.items():
            self.labels[kind].append(values)
        # An id has the name that it is given first, so that other spellings make no features of their own.
        if len(artists) == len(song["artist_name_basket"]):
            for artist, name in zip(artists, song["artist_name_basket"], strict=True):
                self.names["artist"].setdefault(artist, f"{artist} {name}")
        if song.get("album_name"):
            self.names["album"].setdefault(album, f"{album} {song['album_name']}")

    def items(self) -> pl.DataFrame:
        """Return a frame with `id`, `text` and `time` (null if unknown) of each song."""
        import polars as pl

        date = pl.col("date")
        # 20140500 means a date known to the month, 20140000 one known to the year.
        month, day = (date.str.slice(start, 2).cast(pl.Int32, strict=False).clip(1) for start in (4, 6))
        year = date.str.slice(0, 4).cast(pl.Int32, strict=False)
        whole = pl.concat_str(
            year.cast(pl.String), month.cast(pl.String).str.zfill(2), day.cast(pl.String).str.zfill(2), separator="-"
        )
        time = pl.when(year > 0).then(whole.str.to_date("%Y-%m-%d", strict=False)).dt.epoch("s").cast(pl.Float64)
        columns = {"id": self._names(), "text": self.texts, "date": self.issued}
        frame = pl.DataFrame(columns, schema_overrides={"text": pl.String, "date": pl.String})  # there may be no songs
        return frame.select("id", "text", time=time)

    def features(self, kinds: tuple[str, ...], genres: dict[str, str]) -> pl.DataFrame:
        """Return a frame with `id` and `feature`, a row for each feature of these kinds that a song has.

        genres: code of a genre -> its name in the feature
        """
        import polars as pl

        parts = [pl.DataFrame(schema={"id": pl.String, "feature": pl.String})]
        for kind in kinds:
            values = pl.Series("value", self.labels[kind], dtype=pl.List(pl.String))
            rows = pl.DataFrame([self._names().alias("id"), values]).explode("value").drop_nulls()
            value = pl.col("value").replace(genres if kind == "genre" else self.names[kind])
            parts.append(rows.select("id", feature=f"{kind}:" + value))
        return pl.concat(parts)

    def _names(self) -> pl.Series:
        import polars as pl

        return pl.Series(np.asarray(self.ids)).cast(pl.String)


def _genre_names(path: Path) -> dict[str, str]:
    """Read the file of genres: code -> "code name", since names alone are not unique.

    Raises DataError if the file cannot be read."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        return {code: f"{code} {name}" for code, name in names.items()}
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path}: not a JSON object of genre codes and names ({error})") from None
