"""Tables that are handed in from Python, in place of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from hybridrec.data.io.arrow import polars_frame
from hybridrec.data.io.files import FRAME
from hybridrec.data.readers.base import Reader
from hybridrec.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


def polars_frames(data: Mapping[str, object]) -> dict[str, pl.DataFrame]:
    """Convert frames to polars DataFrames, under the same names.

    A frame is a polars DataFrame or LazyFrame, or of any library that exports Arrow (`__arrow_c_stream__` or
    `__arrow_c_array__`): pyarrow, pandas (which needs pyarrow for it), DuckDB. Raises ConfigError for other values.
    """
    return {str(name): polars_frame(frame, f"data[{name!r}]") for name, frame in data.items()}


def frame_names(options: Any) -> list[str]:
    """Return the names of the frames to which paths (`frame:NAME`) in a config's section `data` refer, in its order."""
    return list(dict.fromkeys(_names(options)))


def _names(options: Any) -> Iterator[str]:
    if isinstance(options, Mapping):
        path = options.get("path")
        if isinstance(path, str) and path.startswith(FRAME):
            yield path.removeprefix(FRAME)
        for below in options.values():
            yield from _names(below)


def refuse_missing_frames(reader: Reader, name: str) -> None:
    """Raise ConfigError if the reader's options refer to frames that were not handed in; `name` names the run."""
    named = frame_names(reader.config.model_dump(mode="json"))
    if missing := [frame for frame in named if frame not in (*reader.frames, *reader.makes)]:
        wanted = ", ".join(f"{frame!r}: ..." for frame in named)
        raise ConfigError(
            f"the run '{name}' is made from frames, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} "
            f"missing: hand them in with data={{{wanted}}}, or set `data.{missing[0]}.path` to a file"
        )
