"""Reader `yes-radio`: plays of American radio stations, collected from Yes.com, with tags from Last.fm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hybridrec import DataError, Dataset, InputPath, Reader, Tables, assemble, text_files

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "The Yes.com playlists are at https://www.cs.cornell.edu/~shuochen/lme/data_page.html, for research; commercial "
    "use is up to Yes.com and Last.fm (S. Chen, J. L. Moore, D. Turnbull, T. Joachims 2012)"
)
FILES = ("train.txt", "test.txt", "song_hash.txt", "tags.txt", "tag_hash.txt")
HEADER = 2
"""Number of lines before the first playlist: the ids of the songs, and their numbers of occurrences."""
NUMBERS = r"^(?<numbers>\d{1,9}(?:\s+\d{1,9})*)\s*$"
SONG = r"^(?<song>\d{1,9})\s*\t\s*(?<title>[^\t]*?)\s*\t\s*(?<artist>[^\t]*?)\s*$"
TAGS = r"^(?<numbers>#|\d{1,9}(?:\s+\d{1,9})*)\s*$"
TAG = r"^(?<id>\d+)\s*,\s*(?<tag>\S.*?)\s*$"
UNKNOWN = "-"
UNKNOWN_TAG = "unknown"


class YesOptions(text_files.BadLineOptions):
    """Options of `yes-radio`: the folder of the files, and the lists and tags that are read."""

    folder: InputPath = Field(examples=["yes_complete"])
    """Folder yes_small, yes_big or yes_complete, with train.txt, test.txt, song_hash.txt, tags.txt, tag_hash.txt."""

    min_items: int = Field(default=2, ge=1)
    """Smallest number of songs of a list; shorter ones are dropped. Songs with an unknown title or artist do not
    count."""

    unknown_tag: bool = False
    """Give songs without a tag (`#`) the tag "unknown", as Song2Vec did; all of them then share this tag."""


class YesReader(Reader):
    """Lists as users ("train-1" is the first list of train.txt), songs as items, in broadcast order.

    Songs have the tags of Last.fm and the text "artist - title"; those whose title or artist is "-" are dropped from
    the lists.
    """

    name = "yes-radio"
    Config = YesOptions
    config: YesOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if one folder has all files of this data set, else None."""
        folder = text_files.folder_of(files, *FILES)
        return None if folder is None else {"folder": folder}

    def read(self) -> Dataset:
        """Read the lists of train.txt and test.txt.

        Raises DataError if a file is missing, or if all lists are shorter than `min_items`.
        """
        import polars as pl

        for file in FILES:
            text_files.check_file(self.config.folder / file, ORIGIN)
        self.bad_lines = text_files.BadLines(strict=self.config.strict)
        songs = self._songs()
        lists = pl.concat([self._lists(name, songs) for name in ("train", "test")])
        lists = lists.filter(pl.len().over("user") >= self.config.min_items)
        if not len(lists):
            raise DataError(f"{self.config.folder}: no list has {self.config.min_items} known songs")
        named = songs.filter(~pl.col("dropped"))
        return assemble(
            Tables(
                interactions=lists,
                entities={
                    "items": named.select(
                        id=pl.col("song").cast(pl.String), text=pl.col("artist") + " - " + pl.col("title")
                    )
                },
                item_has={"tags": self._tags().join(named, left_on="item", right_on="song", how="semi")},
            )
        )

    def _songs(self) -> pl.DataFrame:
        """Read a frame with `song`, `title`, `artist` and `dropped`, true if title or artist is unknown."""
        import polars as pl

        assert self.bad_lines is not None
        path = self.config.folder / "song_hash.txt"
        rows = text_files.parse_whole(path, SONG, "id, title, artist between tabs", self.bad_lines)
        rows = text_files.first_of_each(rows, "song", path, self.bad_lines, "song")
        dropped = (pl.col("title").is_in(["", UNKNOWN])) | (pl.col("artist").is_in(["", UNKNOWN]))
        return rows.select(pl.col("song").cast(pl.UInt32), "title", "artist", dropped=dropped)

    def _lists(self, name: str, songs: pl.DataFrame) -> pl.DataFrame:
        """Read a frame with `user` and `item` in broadcast order, without songs that are dropped."""
        import polars as pl

        assert self.bad_lines is not None
        path = self.config.folder / f"{name}.txt"
        rows = text_files.parse_whole(path, NUMBERS, "ids of songs between blanks", self.bad_lines)
        played = _spread(rows.filter(pl.col("line") > HEADER))
        played = text_files.only_known(played, "number", songs["song"], path, self.bad_lines, "song")
        played = played.join(
            songs.filter("dropped"), left_on="number", right_on="song", how="anti", maintain_order="left"
        )
        user = f"{name}-" + (pl.col("line") - HEADER).cast(pl.String)
        return played.select(user=user, item="number")

    def _tags(self) -> pl.DataFrame:
        """Read a frame with `item` and `id`, the tag; line n of tags.txt is about song n - 1."""
        import polars as pl

        assert self.bad_lines is not None
        folder = self.config.folder
        names = text_files.parse_whole(folder / "tag_hash.txt", TAG, "id, name", self.bad_lines)
        names = text_files.first_of_each(names, "id", folder / "tag_hash.txt", self.bad_lines, "tag")
        names = names.select(pl.col("id").cast(pl.UInt32), "tag")
        rows = text_files.parse_whole(folder / "tags.txt", TAGS, "ids of tags between blanks, or #", self.bad_lines)
        untagged = rows.filter((pl.col("numbers") == "#") & pl.lit(self.config.unknown_tag))
        given = _spread(rows.filter(pl.col("numbers") != "#"))
        given = text_files.only_known(given, "number", names["id"], folder / "tags.txt", self.bad_lines, "tag")
        tagged = given.join(names, left_on="number", right_on="id", maintain_order="left")
        tags = pl.concat([tagged.select("line", "tag"), untagged.select("line", tag=pl.lit(UNKNOWN_TAG))])
        return tags.select(id="tag", item=(pl.col("line") - 1).cast(pl.UInt32))


def _spread(rows: pl.DataFrame) -> pl.DataFrame:
    """Return a frame with `line` and `number`, a row for each number of a line."""
    import polars as pl

    numbers = pl.col("numbers").str.extract_all(r"\d+").cast(pl.List(pl.UInt32))
    return rows.select("line", number=numbers).explode("number").drop_nulls()
