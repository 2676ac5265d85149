"""Readers of catalogues with ratings, counts and side information, in their published formats."""

from hybridrec import Reader, hookimpl


@hookimpl
def hybridrec_readers() -> list[type[Reader]]:
    """Readers: `movielens`, `hetrec-lastfm` and `feature-lines`."""
    from hybridrec_catalogues.feature_lines import FeatureLinesReader
    from hybridrec_catalogues.hetrec import HetRecLastfmReader
    from hybridrec_catalogues.movielens import MovieLensReader

    return [MovieLensReader, HetRecLastfmReader, FeatureLinesReader]
