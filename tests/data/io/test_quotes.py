"""Quotes behind a backslash are read, and a quote that is not closed does not swallow rows without a word."""

import polars as pl
import pytest

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.files import FileSource, load
from hybridrec.data.io.quotes import double_quotes, has_escapes, swallowed_lines
from hybridrec.errors import DataError

LINES = [f'"u{k}";"{k % 7}";"{k % 5}"' for k in range(60)]


def written(path, lines):
    """Write a file with these lines below a header, and return it as a source."""
    path.write_text("\n".join(['"user";"item";"stars"', *lines]) + "\n")
    return FileSource(path=path, separator=";")


def open_quotes(first, last):
    """Return LINES with a quote behind a backslash in two of them, which reads like a quote that is not closed."""
    return [f'"u{k}";"\\"{k}";"1"' if k in (first, last) else line for k, line in enumerate(LINES)]


def test_rows_below_an_open_quote_are_not_lost(tmp_path):
    source = written(tmp_path / "x.csv", open_quotes(4, 40))
    with pytest.raises(DataError, match=r"x.csv, line 6: a quote \(\"\) is not closed .* takes in 36 lines.*`escape`"):
        load(source, BadLines(strict=True))
    bad_lines = BadLines(strict=False)
    assert len(load(source, bad_lines)[0].collect()) == 58
    assert "2 malformed lines" in bad_lines.notes()[0]


def test_escaped_quotes_belong_to_the_text(tmp_path):
    source = written(tmp_path / "x.csv", open_quotes(4, 40)).model_copy(update={"escape": "\\"})
    rows = load(source, BadLines(strict=True))[0].collect()
    assert len(rows) == 60
    assert rows["item"][4] == '"4'


@pytest.mark.parametrize(
    ("text", "escapes"),
    [('"1";"a \\"b\\" c"', True), ('"1";"C:\\"', False), ("1\ta \\n b", False), ('"1";"a ""b"" c"', False)],
)
def test_escapes_are_told_from_backslashes(text, escapes):
    assert has_escapes(text) == escapes


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16-le"])
def test_quotes_are_doubled_in_any_encoding(encoding):
    assert double_quotes('é \\"x\\" \\\\'.encode(encoding), encoding).decode(encoding) == 'é ""x"" \\'
    assert double_quotes(b'\xff \\"', "utf-8") == b'\xff ""'


@pytest.mark.parametrize(
    ("cell", "swallowed"),
    [
        ("a\n1,2,3\n4,5,6\n7,8,9\n1,2,3\nb", (1, 5)),
        ("good,\nbad,\nugly\nand more, much, more\nx\ny", None),
        ("a\nb", None),
    ],
)
def test_prose_of_several_lines_is_no_row_of_the_table(cell, swallowed):
    frame = pl.LazyFrame({"a": ["x", cell], "b": ["y", "z"], "c": ["1", "2"]})
    assert swallowed_lines(frame, ",") == swallowed
