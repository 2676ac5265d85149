"""Frames of other libraries become Polars frames through Arrow."""

import polars as pl
import pytest

from hybridrec import ConfigError
from hybridrec.data.io.arrow import polars_frame

pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")

FRAME = pl.DataFrame({"user": ["ann", None], "items": [["a", "b"], []]})


def test_frames_of_every_library_are_one_frame():
    table = FRAME.to_arrow()
    batch = table.to_batches()[0]
    for frame in (FRAME, FRAME.lazy(), table, batch, pandas.DataFrame(FRAME.to_dict(as_series=False))):
        assert polars_frame(frame, "queries").equals(FRAME), type(frame)
    assert isinstance(batch, pyarrow.RecordBatch)


def test_what_is_no_frame_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"queries: takes a frame of Polars, pandas or Arrow, not builtins.list"):
        polars_frame([1, 2], "queries")
    with pytest.raises(ConfigError, match="queries: cannot be converted through Arrow"):
        polars_frame(pandas.DataFrame({"a": [1, "b", object()]}), "queries")
