"""Published collections of playlists: their readers, and the metrics, queries and files of their challenges."""

from hybridrec import Exporter, Metric, Reader, Splitter, hookimpl


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """Melon, Yes.com radio, Spotify playlists, the Million Playlist Dataset, classic rock radio."""
    from hybridrec_playlists.melon import MelonReader
    from hybridrec_playlists.mpd import MPDReader
    from hybridrec_playlists.radio import RadioReader
    from hybridrec_playlists.spotify import SpotifyReader
    from hybridrec_playlists.yes import YesReader

    return [MelonReader, YesReader, SpotifyReader, MPDReader, RadioReader]


@hookimpl
def hybridrec_splitters() -> list[type[Splitter]]:
    """The ten categories of the RecSys Challenge 2018."""
    from hybridrec_playlists.challenge import TenCategories

    return [TenCategories]


@hookimpl
def hybridrec_metrics() -> list[type[Metric]]:
    """Metrics as defined by the Melon challenge and the RecSys Challenge 2018."""
    from hybridrec_playlists.metrics import ArtistRPrecision, Clicks, MelonNdcg

    return [MelonNdcg, ArtistRPrecision, Clicks]


@hookimpl
def hybridrec_exporters() -> list[type[Exporter]]:
    """Submission files of the Melon challenge and the RecSys Challenge 2018."""
    from hybridrec_playlists.submissions import MelonExporter, MPDExporter

    return [MelonExporter, MPDExporter]
