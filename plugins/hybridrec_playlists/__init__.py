"""Published collections of playlists: their readers, and the metrics, queries and files of their challenges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import Exporter, Metric, Reader, Splitter, hookimpl

if TYPE_CHECKING:
    from hybridrec import DataProfile, StarterConfig


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """Readers of Melon, Yes.com radio, Spotify playlists, the Million Playlist Dataset and classic rock radio."""
    from hybridrec_playlists.melon import MelonReader
    from hybridrec_playlists.mpd import MPDReader
    from hybridrec_playlists.radio import RadioReader
    from hybridrec_playlists.spotify import SpotifyReader
    from hybridrec_playlists.yes import YesReader

    return [MelonReader, YesReader, SpotifyReader, MPDReader, RadioReader]


@hookimpl
def hybridrec_splitters() -> list[type[Splitter]]:
    """`ten-categories`, a splitter with the ten categories of queries of the RecSys Challenge 2018."""
    from hybridrec_playlists.challenge import TenCategories

    return [TenCategories]


@hookimpl
def hybridrec_metrics() -> list[type[Metric]]:
    """Metrics as defined by the Melon challenge and the RecSys Challenge 2018."""
    from hybridrec_playlists.metrics import ArtistRPrecision, Clicks, MelonNdcg

    return [MelonNdcg, ArtistRPrecision, Clicks]


@hookimpl
def hybridrec_exporters() -> list[type[Exporter]]:
    """Exporters of submission files for the Melon challenge and the RecSys Challenge 2018."""
    from hybridrec_playlists.submissions import MelonExporter, MPDExporter

    return [MelonExporter, MPDExporter]


CONFIGS = {
    "melon": (
        "melon",
        "melon-audio",
        "published/melonrec-w2v",
        "published/melon-autoencoder",
        "published/melon-audio",
    ),
    "yes-radio": ("song2vec", "published/song2vec", "yes-radio"),
    "spotify": ("spotify", "published/spotify-skip-gram"),
    "mpd": ("mpd",),
    "radio": ("song2vec-radio",),
}
"""Reader -> configs for its data, the one to begin with first."""
FEW_LISTS, MANY_ROWS = 5_000, 1_000_000
"""`FEW_LISTS`: with fewer Yes.com lists than this, a share of them is held out instead of the 1,000 of the config.
`MANY_ROWS`: of a Spotify file with more rows than this, only so many are read."""


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[StarterConfig]:
    """Propose the configs of the systems that were published on the data of a reader."""
    from hybridrec import StarterConfig

    reader = data.data["reader"]
    changes: dict[str, object] = {"refit": "all"}
    if reader == "yes-radio" and data.users < FEW_LISTS:
        changes |= {"split.test": 0.2, "split.validation": 0.2}
    elif reader == "spotify" and data.interactions > MANY_ROWS:
        changes |= {"data.rows": MANY_ROWS}
    elif reader == "radio":
        changes |= {"data.length": 50}
    return [
        StarterConfig(f"plugin:core/configs/{name}.yaml", changes, priority=-place)
        for place, name in enumerate(CONFIGS.get(reader, ()))
    ]
