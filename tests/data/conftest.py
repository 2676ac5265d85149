"""Fixtures that the tests of files and readers share."""

import numpy as np
import polars as pl
import pytest

from hybridrec.data.readers.table import TableOptions, TableReader
from tests.data.tables import PLAYS


@pytest.fixture
def read(tmp_path):
    """Write the given files (text, bytes, or a frame as Parquet) and read them by the mapping."""

    def write_and_read(files, **mapping):
        for name, content in files.items():
            if isinstance(content, pl.DataFrame):
                content.write_parquet(tmp_path / name)
            elif isinstance(content, np.ndarray):
                np.save(tmp_path / name, content)
            else:
                raw = content if isinstance(content, bytes) else content.encode()
                (tmp_path / name).write_bytes(raw)
        mapping = {"interactions": PLAYS, **mapping}
        return TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path})).read()

    return write_and_read
