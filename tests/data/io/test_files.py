"""Files of every format: what they say, and what is said of broken ones."""

import gzip

import polars as pl
import pyarrow as pa
import pytest

from hybridrec.data.io import files
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError
from tests.data.tables import PLAYS, plays_of, refused


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plays.csv", "uid,song,more\n1,b,x\n2,a,x\n1,a,x\n"),
        ("plays.csv", "\ufeffuid,song\r\n1,b\r\n2,a\r\n1,a\r\n"),
        ("plays.csv", 'song,uid\n"b","1"\n"a","2"\na,1\n'),
        ("plays.tsv", "uid\tsong\n1\tb\n2\ta\n1\ta\n"),
        ("plays.jsonl", '{"uid": 1, "song": "b"}\n{"uid": 2, "song": "a"}\n{"uid": 1, "song": "a"}\n'),
        ("plays.ndjson", '{"uid": "1", "song": "b"}\n{"uid": "2", "song": "a"}\n{"uid": "1", "song": "a"}\n'),
        ("plays.csv", "uid,song\r1,b\r2,a\r1,a\r"),
        ("plays.csv.gz", gzip.compress(b"uid,song\n1,b\n2,a\n1,a\n", mtime=0)),
        (
            "plays.jsonl.gz",
            gzip.compress(b'{"uid": 1, "song": "b"}\n{"uid": 2, "song": "a"}\n{"uid": 1, "song": "a"}\n', mtime=0),
        ),
        ("plays.parquet", pl.DataFrame({"uid": [1, 2, 1], "song": ["b", "a", "a"]})),
    ],
)
def test_all_formats_say_the_same(read, name, content):
    data = read({name: content}, interactions={**PLAYS, "path": name})
    reference = read({"plays.csv": "uid,song\n1,b\n2,a\n1,a\n"})
    assert data.fingerprint == reference.fingerprint
    assert plays_of(data, "1") == ["b", "a"]


def test_zstd_is_read_and_broken_lines_in_it_are_told(read, tmp_path):
    pl.LazyFrame({"uid": ["1"], "song": ["b"]}).sink_csv(tmp_path / "plays.csv.zst", compression="zstd")
    mapping = {"interactions": {**PLAYS, "path": "plays.csv.zst"}}
    data = TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path})).read()
    assert plays_of(data, "1") == ["b"]
    lines = pl.LazyFrame({"line": ["uid,song", "1,b", "", "2,c,more", "2,é"]})
    how = {"include_header": False, "quote_style": "never", "separator": "\x01"}
    lines.sink_csv(tmp_path / "plays.csv.zst", compression="zstd", **how)
    assert files.opened(tmp_path / "plays.csv.zst").read() == "uid,song\n1,b\n\n2,c,more\n2,é\n".encode()
    with pytest.raises(DataError, match=r"plays.csv.zst, line 4: 3 fields, where the first line has 2"):
        TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path})).read()
    lenient = TableReader(TableOptions.model_validate({**mapping, "strict": False}, context={"folder": tmp_path}))
    assert plays_of(lenient.read(), "2") == ["é"]
    (tmp_path / "plays.csv.zst").write_bytes(b"no zstd")
    with pytest.raises(DataError, match=r"plays.csv.zst"):
        TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path})).read()


def zstd(content):
    """Compress bytes as a zstd file."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def test_zstd_in_another_encoding_is_refused_and_a_sign_for_lost_letters_is_not(read):
    lost = "uid,song\n1,caf\ufffd\n2,b\n".encode()  # an earlier tool wrote the sign; the text is valid
    data = read({"plays.csv.zst": zstd(lost)}, interactions={**PLAYS, "path": "plays.csv.zst"})
    assert plays_of(data, "1") == ["caf\ufffd"]
    with pytest.raises(DataError, match=r"plays.csv.zst: not utf-8; .* decompressed \(`zstd -d`\)"):
        read(
            {"plays.csv.zst": zstd(b"uid,song\n1,b\n" * 5000 + "2,café\n".encode("latin-1"))},
            interactions={**PLAYS, "path": "plays.csv.zst"},
        )


@pytest.mark.parametrize("content", ["uid,song,at\n1,b,x\n2,a\n1,a,x,y\n", 'uid,song\n1,"b\n2,a\n'])
def test_a_large_file_is_refused_as_a_small_one_is(read, monkeypatch, content):
    told = []
    for limit in (1 << 26, 0):
        monkeypatch.setattr(files, "_KEPT_AS_TEXT", limit)
        with pytest.raises(DataError) as refused:
            read({"plays.csv": content})
        told.append(str(refused.value))
    assert told[0] == told[1]


def test_format_separator_and_names_can_be_said(read):
    data = read(
        {"plays.dat": "1;b\n2;a\n"},
        interactions={**PLAYS, "path": "plays.dat", "format": "csv", "separator": ";", "columns": ["uid", "song"]},
    )
    assert plays_of(data, "1") == ["b"]


def test_a_file_in_another_encoding(read):
    data = read({"plays.csv": "uid,song\n1,아리랑\n".encode("cp949")}, interactions={**PLAYS, "encoding": "cp949"})
    assert plays_of(data, "1") == ["아리랑"]


def test_quotes_can_mean_nothing(read):
    data = read({"plays.csv": 'uid,song\n1,"Weird Al" Yankovic\n'}, interactions={**PLAYS, "quote": None})
    assert plays_of(data, "1") == ['"Weird Al" Yankovic']


def test_columns_joined_from_another_file(read):
    files = {
        "plays.csv": "uid,song,fold\n1,b,0\n1,a,1\n",
        "counts.tsv": "//u\ts\tn\n1\ta\t5\n1\tb\t4\n9\ta\t1\n",
    }
    join = {"path": "counts.tsv", "match": {"uid": "//u", "song": "s"}}
    data = read(files, interactions={**PLAYS, "group": "fold", "weight": "n", "join": join})
    assert plays_of(data, "1") == ["b", "a"]
    assert data.interactions.weights.tolist() == [4, 5]
    assert len(data.users) == 1


def test_a_missing_file(read):
    refused(read, {}, "plays.csv", "no such file")


@pytest.mark.parametrize("content", ["", "\n\n", "uid,song\n"])
def test_an_empty_file(read, content):
    refused(read, content, "plays.csv")


def test_an_empty_file_is_called_empty(read):
    refused(read, "", "is empty")
    refused(read, "uid,song\n", "has no interactions")


@pytest.mark.parametrize("name", ["plays.jsonl", "plays.parquet"])
def test_other_empty_files(read, name):
    refused(read, {name: b""}, name, "is empty", interactions={**PLAYS, "path": name})


def test_an_unknown_column_and_the_nearest(read):
    refused(read, "uid,sung\n1,a\n", "plays.csv", "no column 'song'", "did you mean 'sung'?", "Available: sung, uid")


def test_an_unknown_column_to_join_by(read):
    join = {"path": "names.csv", "match": {"song": "sung"}}
    files = {"plays.csv": "uid,song\n1,a\n", "names.csv": "song,n\na,1\n"}
    refused(read, files, "names.csv", "no column 'sung'", interactions={**PLAYS, "join": join})


def test_a_joined_key_that_occurs_twice(read):
    join = {"path": "names.csv", "match": {"song": "song"}}
    files = {"plays.csv": "uid,song\n1,a\n", "names.csv": "song,n\nb,1\na,1\na,2\n"}
    refused(read, files, "names.csv, line 4", "song 'a' occurs more than once", interactions={**PLAYS, "join": join})


def test_a_line_with_too_many_fields(read):
    refused(read, "uid,song\n1,a\n2,b,c\n", "plays.csv, line 3", "3 fields", "the first line has 2")


def test_an_open_quote(read):
    refused(read, 'uid,song\n1,a\n2,"b\n', "plays.csv, line 3", "quote", "`quote: null`")


def test_another_encoding(read):
    refused(read, "uid,song\n1,a\n2,ö\n".encode("latin-1"), "plays.csv, line 3", "not utf-8", "`encoding`")


@pytest.mark.parametrize("line", ['{"uid": 2, "song": ', "[1, 2]", "what?"])
def test_broken_json(read, line):
    content = '{"uid": 1, "song": "a"}\n' + line + "\n"
    refused(read, {"plays.jsonl": content}, "plays.jsonl, line 2", interactions={**PLAYS, "path": "plays.jsonl"})


def test_broken_parquet(read):
    refused(read, {"p.parquet": b"PAR1 nonsense"}, "p.parquet", interactions={**PLAYS, "path": "p.parquet"})


def test_an_unknown_format(read):
    refused(read, {"plays.dat": "uid,song\n"}, "plays.dat", "format", interactions={**PLAYS, "path": "plays.dat"})


def test_too_few_names_for_the_columns(read):
    refused(read, "1,a,x\n", "3 columns", "names 2", interactions={**PLAYS, "columns": ["uid", "song"]})


@pytest.mark.parametrize(
    ("name", "content", "lines"),
    [
        ("plays.csv", b"uid,song\n1,a\n1,b,c\n2,\xff\n2,b\n", (3, 4)),
        ("plays.csv", b'uid,song\n1,a\n1,"x\n2,b\n\n3,\n', (3, 6)),
        ("plays.jsonl", b'{"uid": 1, "song": "a"}\n{"uid": 1, "so\n[1]\n{"uid": 2, "song": "b"}\n', (2, 3)),
    ],
)
def test_broken_lines_are_passed_over_where_they_stand(tmp_path, name, content, lines):
    (tmp_path / name).write_bytes(content)
    options = {"interactions": {**PLAYS, "path": name}, "strict": False}
    reader = TableReader(TableOptions.model_validate(options, context={"folder": tmp_path}))
    data = reader.read()
    assert (plays_of(data, "1"), plays_of(data, "2")) == (["a"], ["b"])
    (note,) = reader.notes()
    assert "2 malformed lines" in note
    assert all(f"line {line}: " in note for line in lines)
