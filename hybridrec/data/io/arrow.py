"""Frames of other libraries (pyarrow, pandas, DuckDB) as Polars frames, converted through Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hybridrec.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


def polars_frame(frame: object, name: str) -> pl.DataFrame:
    """Convert a frame to a Polars DataFrame; its columns are not copied where Arrow has the same layout.

    frame: a Polars DataFrame or LazyFrame, or a frame of any library that exports Arrow (`__arrow_c_stream__` or
        `__arrow_c_array__`): pyarrow, pandas (which needs pyarrow for it), DuckDB

    Raises ConfigError for other values; `name` begins its message.
    """
    import polars as pl

    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    exported: Any = frame
    if not (hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "__arrow_c_array__")):
        kind = f"{type(frame).__module__}.{type(frame).__qualname__}"
        raise ConfigError(f"{name}: takes a frame of Polars, pandas or Arrow, not {kind}")
    try:
        converted = pl.DataFrame(exported)
    except (pl.exceptions.PolarsError, ImportError, TypeError, ValueError) as error:  # those of Arrow are the last two
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"{name}: cannot be converted through Arrow ({reason})") from None
    return converted
