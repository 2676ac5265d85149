"""Reader `hetrec-lastfm`: the Last.fm data of HetRec 2011, listening counts with tags and friends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from hybridrec import Dataset, InputPath, Reader, Tables, WeightOptions, assemble, text_files
from hybridrec_catalogues.layouts import Layout

if TYPE_CHECKING:
    import polars as pl

ORIGIN = (
    "HetRec 2011 Last.fm-2k is at https://grouplens.org/datasets/hetrec-2011: for research, not for commercial use, "
    "with acknowledgement of Last.fm and of I. Cantador, P. Brusilovsky, T. Kuflik (2011)"
)

_ID = r"\d{1,9}"
COUNTS = Layout(
    "user_artists.dat",
    rf"^(?<user>{_ID})\t(?<item>{_ID})\t(?<weight>\d+)$",
    "user, artist, count between tabs",
    header=True,
)
ARTISTS = Layout(
    "artists.dat", rf"^(?<item>{_ID})\t(?<name>[^\t]+)(?:\t.*)?$", "id, name, url between tabs", header=True
)
TAGS = Layout("tags.dat", rf"^(?<id>{_ID})\t(?<tag>.+)$", "id, tag between tabs", encoding="latin-1", header=True)
TAGGED = Layout(
    "user_taggedartists.dat",
    rf"^(?<user>{_ID})\t(?<item>{_ID})\t(?<id>{_ID})(?:\t-?\d+){{3}}$",
    "user, artist, tag, day, month, year between tabs",
    header=True,
)
FRIENDS = Layout("user_friends.dat", rf"^(?<user>{_ID})\t(?<friend>{_ID})$", "user, friend between tabs", header=True)


class HetRecLastfmOptions(text_files.BadLineOptions):
    """Options of `hetrec-lastfm`: the folder of the files, and the parts of them that are read."""

    folder: InputPath = Field(examples=["hetrec2011-lastfm-2k"])
    """Folder of artists.dat, tags.dat, user_artists.dat, user_taggedartists.dat, user_friends.dat."""

    friends: bool = True
    """Read a user's friends as features ("friend:275")."""

    weight: WeightOptions = WeightOptions()
    """Transformation of listening counts to weights; `transform: log` reduces the influence of large counts."""


class HetRecLastfmReader(Reader):
    """Artists as items, with listening counts as weights; the tags that users gave to artists are assignments.

    Assignments to artists that are not in the catalogue are skipped: the published file contains some.
    """

    name = "hetrec-lastfm"
    Config = HetRecLastfmOptions
    config: HetRecLastfmOptions

    @classmethod
    def recognises(cls, files: Sequence[Path]) -> dict[str, Any] | None:
        """Return the options if one folder has all files of this data set, else None."""
        folder = text_files.folder_of(files, *(layout.file for layout in (COUNTS, ARTISTS, TAGS, TAGGED, FRIENDS)))
        return None if folder is None else {"folder": folder}

    def read(self) -> Dataset:
        """Read all files; raises DataError if a file is missing."""
        import polars as pl

        folder = self.config.folder
        for layout in (COUNTS, ARTISTS, TAGS, TAGGED, *([FRIENDS] if self.config.friends else [])):
            text_files.check_file(folder / layout.file, ORIGIN)
        self.bad_lines = bad_lines = text_files.BadLines(strict=self.config.strict)
        artists = ARTISTS.whole(folder, bad_lines, "item")
        counts = text_files.only_known(
            COUNTS.whole(folder, bad_lines), "item", artists["item"], folder / COUNTS.file, bad_lines, "artist"
        )
        tags = TAGS.whole(folder, bad_lines, "id").select("id", "tag")
        return assemble(
            Tables(
                interactions=counts.select("user", "item", pl.col("weight").cast(pl.Float32)).filter(
                    pl.col("weight") > 0
                ),
                entities={"items": artists.select(id="item", text="name")},
                assignments={"tags": self._assignments(tags)},
                labels={"users": self._friends() if self.config.friends else None},
            ),
            self.config.weight,
        )

    def _assignments(self, tags: pl.DataFrame) -> pl.DataFrame:
        """Read a frame with `user`, `item` and `id` (the tag) of each assignment."""
        assert self.bad_lines is not None
        path = self.config.folder / TAGGED.file
        rows = text_files.only_known(
            TAGGED.whole(self.config.folder, self.bad_lines), "id", tags["id"], path, self.bad_lines, "tag"
        )
        return rows.join(tags, on="id", maintain_order="left").select("user", "item", id="tag")

    def _friends(self) -> pl.DataFrame:
        """Read a frame with `id` (the user) and `feature` ("friend:275"), a row for each friend of a user."""
        import polars as pl

        assert self.bad_lines is not None
        rows = FRIENDS.whole(self.config.folder, self.bad_lines)
        return rows.select(id="user", feature="friend:" + pl.col("friend"))
