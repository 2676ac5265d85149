"""Faults that libraries find in files while reading them, as errors of ours that name the file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from gzip import BadGzipFile

from hybridrec.errors import DataError, HybridrecError


@contextmanager
def naming(place: str, kind: type[HybridrecError] = DataError) -> Iterator[None]:
    """Turn what Polars and decompression raise in the `with` block into an error whose message begins with `place`.

    Polars panics on some damaged Parquet files, with an exception that is no `Exception`. Its message has several
    lines, of which the first says what is wrong.
    """
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, zlib.error, EOFError, BadGzipFile) as error:
        reason = str(error).partition("\n")[0]
        raise kind(f"{place} cannot be read: {reason}") from None
