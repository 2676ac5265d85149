"""`playlists`: writes slates as M3U files, which any player opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
from pydantic import Field

from hybridrec import ConfigError, Exporter, Options, Run, did_you_mean


class PlaylistsOptions(Options):
    """Options of `playlists`."""

    pipeline: str
    """Pipeline whose slates are written."""
    most: int = Field(100, ge=1)
    """Number of queries that get a file, the first ones of the run."""


class Playlists(Exporter):
    """Exporter of a file `<query>.m3u8` for each query, with names as comments and ids as entries."""

    name = "playlists"
    Config = PlaylistsOptions
    config: PlaylistsOptions

    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        """Write the files and return their paths; raises ConfigError for an unknown pipeline."""
        named, pipelines = self.config.pipeline, list(run.report.pipelines)
        if named not in pipelines:
            raise ConfigError(f"no pipeline '{named}'; {did_you_mean(named, pipelines)}")
        slates = run.slates(named).filter(pl.col("query") < self.config.most).join(run.names(), on="id", how="left")
        paths = []
        for (query,), slate in slates.sort("query", "rank").group_by("query", maintain_order=True):
            lines = [f"#EXTINF:-1,{title}\n{item}" for title, item in slate.select("name", "id").iter_rows()]
            paths.append(folder / f"{query}.m3u8")
            paths[-1].write_text("\n".join(["#EXTM3U", *lines, ""]), encoding="utf-8")
        return paths
