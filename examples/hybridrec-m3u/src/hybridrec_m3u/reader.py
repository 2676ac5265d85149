"""`m3u`: a folder of playlists as music players save them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from hybridrec import DataError, Dataset, InputPath, Options, Reader, Tables, assemble
from pydantic import Field


class M3UOptions(Options):
    """Options of `m3u`."""

    folder: InputPath
    """Folder of the playlists; all files *.m3u and *.m3u8 in it are read, in the order of their names."""
    min_items: int = Field(2, ge=1)
    """Fewest entries of a playlist; others are dropped."""


class M3UReader(Reader):
    """Files as playlists under their names; entries as items, by the name in `#EXTINF` or else by the path.

    `#PLAYLIST:` sets the title, other comments are ignored. Files are UTF-8.
    """

    name = "m3u"
    Config = M3UOptions
    config: M3UOptions

    def read(self) -> Dataset:
        """Read all playlists; raises DataError if there are none, or a file cannot be read."""
        folder = self.config.folder
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder")
        files = sorted(path for path in folder.iterdir() if path.suffix in (".m3u", ".m3u8"))
        lists = {path.stem: list(_entries(path)) for path in files}
        rows = [
            (playlist, item, position)
            for playlist, items in lists.items()
            if len(items) >= self.config.min_items
            for position, item in enumerate(items)
        ]
        if not rows:
            raise DataError(f"{folder}: none of {len(files)} files *.m3u, *.m3u8 has {self.config.min_items} entries")
        plays = pl.DataFrame(rows, ["user", "item", "position"], orient="row")
        titles = pl.DataFrame([(path.stem, _title(path)) for path in files], ["id", "text"], orient="row")
        return assemble(
            Tables(
                interactions=plays,
                entities={
                    "users": titles.join(plays, left_on="id", right_on="user", how="semi"),
                    "items": plays.select(id="item", text="item").unique(maintain_order=True),
                },
            )
        )


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from None


def _title(path: Path) -> str:
    titles = [line.removeprefix("#PLAYLIST:").strip() for line in _lines(path) if line.startswith("#PLAYLIST:")]
    return titles[0] if titles else path.stem


def _entries(path: Path) -> Iterator[str]:
    """Yield the items of a file: the text after the comma of `#EXTINF:seconds,name` for the path that follows it."""
    name = ""
    for line in _lines(path):
        if line.startswith("#EXTINF:"):
            name = line.partition(",")[2].strip()
        elif line and not line.startswith("#"):
            yield name or line
            name = ""
