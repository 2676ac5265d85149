"""Columns of files as ids, numbers, times and vectors: what is read, and what is said of values that cannot be."""

import polars as pl
import pytest

from hybridrec.data.io import files
from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.columns import ColumnTable, in_order, parse_times, seconds
from hybridrec.data.io.files import FileSource
from hybridrec.errors import DataError
from tests.data.tables import PIECES, PLAYS, plays_of, refused


@pytest.mark.parametrize("rows", [1, 7, 600])
def test_pieces_of_a_file_give_the_codes_of_the_whole(read, tmp_path, rows):
    plays = {**PLAYS, "path": "plays.parquet"}
    PIECES.write_parquet(tmp_path / "plays.parquet", row_group_size=rows)
    data = read({}, interactions=plays)
    assert data.fingerprint == read({"plays.csv": PIECES.write_csv()}).fingerprint
    assert list(data.users.vocabulary.ids) == sorted(set(PIECES["uid"]))


@pytest.mark.parametrize("name", ["plays.parquet", "plays.csv"])
def test_no_column_of_text_is_held_whole(read, monkeypatch, name):
    monkeypatch.setattr(files, "_KEPT_AS_TEXT", 0)
    collect, held = pl.LazyFrame.collect, []

    def watched(frame, **how):
        table = collect(frame, **how)
        held.extend(len(column) for column in table if column.dtype == pl.String and column.is_in(["u0", "s0"]).any())
        return table

    monkeypatch.setattr(pl.LazyFrame, "collect", watched)
    content = PIECES if name.endswith("parquet") else PIECES.write_csv()
    data = read({name: content}, interactions={**PLAYS, "path": name})
    assert len(data.interactions.ids) == len(PIECES)
    assert max(held, default=0) <= 31  # the distinct ids


def test_ids_are_text_of_any_script(read):
    data = read({"plays.csv": "uid,song\n007,아리랑\n7,🎸\n-1,NA\n"})
    assert set(data.users.vocabulary.ids) == {"007", "7", "-1"}
    assert plays_of(data, "007") == ["아리랑"]
    assert plays_of(data, "7") == ["🎸"]
    assert plays_of(data, "-1") == ["NA"]


def test_integers_that_became_floats_are_integers_again(read):
    frame = pl.DataFrame({"uid": [1.0, 2.0], "song": [0.5, 2.0]})
    data = read({"p.parquet": frame}, interactions={**PLAYS, "path": "p.parquet"})
    assert list(data.users.vocabulary.ids) == ["1", "2"]
    assert list(data.items.vocabulary.ids) == ["0.5", "2.0"]


@pytest.mark.parametrize(
    ("written", "unit"),
    [("1704067200", "s"), ("1704067200000", "ms"), ("2024-01-01", "s"), ("2024-01-01T09:00:00+09:00", "s")],
)
def test_times_are_seconds_since_1970(read, written, unit):
    mapping = {**PLAYS, "time": "t", "time_unit": unit}
    assert read({"plays.csv": f"uid,song,t\n1,a,{written}\n"}, interactions=mapping).interactions.times == 1704067200


def test_typed_times_of_parquet(read):
    times = pl.Series(["2024-01-01T00:00:00"]).str.to_datetime(time_unit="ns")
    zoned = times.dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Seoul")
    for column in (times, times.dt.date(), zoned):
        frame = pl.DataFrame({"uid": [1], "song": [1], "t": column})
        data = read({"plays.parquet": frame}, interactions={**PLAYS, "path": "plays.parquet", "time": "t"})
        assert data.interactions.times == 1704067200


def test_weights_and_groups(read):
    data = read(
        {"plays.csv": "uid,song,n,fold\n1,a,3,7\n1,b,0,8\n1,c,1.5,9\n"},
        interactions={**PLAYS, "weight": "n", "group": "fold"},
    )
    assert plays_of(data, "1") == ["a", "c"]  # a weight of 0 is no interaction
    assert data.interactions.weights.tolist() == [3, 1.5]
    assert data.interactions.groups.tolist() == [7, 9]


@pytest.mark.parametrize(("column", "line"), [("uid", ",a"), ("song", "2,")])
def test_missing_ids(read, column, line):
    refused(read, f"uid,song\n1,a\n{line}\n{line}\n", "line 3", f"column '{column}' is missing", "2 of 3 rows")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("-1", "negative"),
        ("1e39", "not a number of 32 bits"),
        ("nan", "not a finite number"),
        ("inf", "not a finite"),
        ("many", "'many'"),
        ("", "missing"),
    ],
)
def test_bad_weights(read, written, says):
    content = f"uid,song,n\n1,a,1\n1,b,{written}\n1,c,{written}\n"
    refused(read, content, "plays.csv, line 3", "column 'n'", says, "2 of 3", interactions={**PLAYS, "weight": "n"})


def test_nan_weights_in_parquet(read):
    frame = pl.DataFrame({"uid": [1, 2], "song": [1, 2], "n": [1.0, float("nan")]})
    mapping = {**PLAYS, "path": "p.parquet", "weight": "n"}
    refused(read, {"p.parquet": frame}, "p.parquet, row 2", "not a finite number", interactions=mapping)


@pytest.mark.parametrize("missing", [None, ""])
def test_missing_ids_in_typed_files(read, missing):
    frame = pl.DataFrame({"uid": ["1", "2"], "song": ["a", missing]})
    mapping = {**PLAYS, "path": "p.parquet"}
    refused(
        read, {"p.parquet": frame}, "p.parquet, row 2", "column 'song'", "every row needs one", interactions=mapping
    )
    floats = pl.DataFrame({"uid": [1.0, float("nan")], "song": ["a", "b"]})
    refused(read, {"p.parquet": floats}, "p.parquet, row 2", "column 'uid'", interactions=mapping)


def test_a_missing_id_inside_a_playlist(read):
    content = '{"uid": 1, "song": ["a", "b"]}\n{"uid": 2, "song": ["c", null]}\n'
    mapping = {**PLAYS, "path": "plays.jsonl"}
    refused(read, {"plays.jsonl": content}, "plays.jsonl, line 2", "'song' is missing", interactions=mapping)


def test_lists_where_one_value_belongs(read):
    content = '{"uid": 1, "song": "a", "t": [1, 2]}\n'
    mapping = {**PLAYS, "path": "plays.jsonl", "time": "t"}
    refused(read, {"plays.jsonl": content}, "column 't' holds List", interactions=mapping)


@pytest.mark.parametrize("written", ["yesterday", "2024-13-01", "nan"])
def test_bad_times(read, written):
    content = f"uid,song,t\n1,a,5\n1,b,{written}\n"
    refused(read, content, "line 3", "not a time", "ISO", interactions={**PLAYS, "time": "t"})


def test_milliseconds_taken_for_seconds(read):
    refused(read, "uid,song,t\n1,a,1704067200000\n", "time_unit: ms", interactions={**PLAYS, "time": "t"})


@pytest.mark.parametrize("written", ["1.5", "x", "3000000000"])
def test_bad_groups(read, written):
    refused(read, f"uid,song,f\n1,a,{written}\n", "line 2", "column 'f'", interactions={**PLAYS, "group": "f"})


@pytest.mark.parametrize(("group", "told"), [(1 << 31, "2147483648, not an integer of 32 bits"), (None, "missing")])
def test_bad_groups_of_a_column_of_integers(read, group, told):
    frame = pl.DataFrame({"uid": [1, 1], "song": ["a", "b"], "f": [3, group]})
    mapping = {**PLAYS, "path": "p.parquet", "group": "f"}
    refused(read, {"p.parquet": frame}, "row 2", "column 'f'", told, interactions=mapping)
    assert read({"p.parquet": frame[:1]}, interactions=mapping).interactions.groups.tolist() == [3]


@pytest.mark.parametrize("bad", [[3.0], [3.0, float("nan")], [3.0, None], None])
def test_bad_vectors_in_parquet(read, bad):
    files = {
        "plays.csv": "uid,song\n1,a\n",
        "v.parquet": pl.DataFrame({"id": ["a", "b"], "vector": [[1.0, 2.0], bad]}),
    }
    refused(read, files, "v.parquet, row 2", "column 'vector'", item_vectors={"path": "v.parquet"})


def test_vectors_that_are_no_lists(read):
    files = {"plays.csv": "uid,song\n1,a\n", "v.parquet": pl.DataFrame({"id": ["a"], "vector": [1.0]})}
    refused(read, files, "v.parquet", "must hold lists of numbers", item_vectors={"path": "v.parquet"})


def table(tmp_path, text, *, strict=True):
    (tmp_path / "rows.csv").write_text(text)
    return ColumnTable.of(FileSource(path=tmp_path / "rows.csv"), BadLines(strict=strict))


def test_ids_are_coded_by_the_order_of_their_texts(tmp_path):
    ids = table(tmp_path, "id\nb\na\n10\nb\n9\n").ids("id")
    assert ids.dtype == pl.Enum(["10", "9", "a", "b"])
    assert ids.to_physical().to_list() == [3, 2, 0, 3, 1]


def test_categories_that_do_not_occur_are_left_out():
    coded = pl.Series(["c", "a", None, "b", "c"], dtype=pl.Categorical).filter(
        pl.Series([True, False, True, True, True])
    )
    assert in_order(coded).dtype == pl.Enum(["b", "c"])
    assert in_order(coded).to_list() == ["c", None, "b", "c"]
    assert in_order(coded[:0]).to_list() == []


def test_malformed_values_are_null_where_lines_are_skipped(tmp_path):
    rows = table(tmp_path, "id,n\na,1\n,x\nb,-1\n", strict=False)
    assert rows.ids("id").to_list() == ["a", None, "b"]
    assert rows.weights("n").to_list() == [1, None, None]
    assert rows.bad_lines.count == 2


def test_rows_of_lists_keep_the_row_of_the_file(tmp_path):
    path = tmp_path / "lists.jsonl"
    path.write_text('{"id": [1, 2], "n": 5}\n{"id": [], "n": 6}\n{"id": [3], "n": -7}\n')
    rows = ColumnTable.of(FileSource(path=path), BadLines(strict=True)).unrolled("id")
    assert rows.ids("id").to_list() == ["1", "2", "3"]
    assert rows.values("n").to_list() == [5, 5, -7]
    with pytest.raises(DataError, match=r"lists\.jsonl, line 3: column 'n' is -7, negative \(1 of 3 rows"):
        rows.weights("n")


def test_texts_are_joined_and_labels_are_a_row_each(tmp_path):
    rows = table(tmp_path, "id,title,artist,genre\na,One,Anna,rock| folk\nb,Two,,\n")
    assert rows.texts(["title", "artist"]).to_list() == ["One - Anna", "Two"]
    labels = rows.labels("id", {"genre": "genre", "artist": ""}, "|")
    assert labels.rows() == [("a", "genre:rock"), ("a", "genre:folk"), ("a", "Anna")]
    assert rows.labels("id", {}, "|").rows() == []


@pytest.mark.parametrize("odd", ["t\x001", "t\ufeff1", "t" * 10_001])
def test_a_label_that_cannot_be_an_id_makes_its_row_malformed(tmp_path, odd):
    rows = table(tmp_path, f"id,tags\na,rock|pop\nb,{odd}|pop\nc, |folk\n", strict=False)
    assert rows.labels("id", {"tags": ""}, "|").rows() == [("a", "rock"), ("a", "pop"), ("c", "folk")]
    assert rows.bad_lines.count == 1
    with pytest.raises(
        DataError, match=r"line 3: column 'tags' is .*, not an id \(1 of 3 .* a value has no line break"
    ):
        table(tmp_path, f"id,tags\na,rock\nb,{odd}\nc,x\n").labels("id", {"tags": ""}, "|")


def test_times_that_are_none_are_null():
    given = pl.Series(["1970-01-02", "1971", "x", None, "1970-01-01 00:01", "12"])
    assert parse_times(given).to_list() == [86400, 1971, None, None, 60, 12]
    assert parse_times(given, "ms", years=True).to_list() == [86400, 365 * 86400, None, None, 60, 0.012]
    assert parse_times(pl.Series([1.5, float("nan")]), "us").to_list() == [1.5e-6, None]
    zoned = pl.Series(["1970-01-02T02:00+02:00", "1970-01-02 02:00:00+02:00", "1970-01-02T00:00Z"])
    assert parse_times(zoned).to_list() == [86400] * 3


def test_dates_without_a_zone_are_utc():
    dates = pl.Series(["1970-01-02", None]).str.to_date()
    assert seconds(dates).to_list() == [86400, None]
    zoned = pl.Series(["1970-01-01T00:00:30"]).str.to_datetime().dt.replace_time_zone("Asia/Seoul")
    assert seconds(zoned).to_list() == [30 - 9 * 3600]


def test_numbers_have_the_marks_of_the_file(read):
    rows = "uid;song;n\na;x;1.234,5\nb;y; 3 \n"
    mapping = {**PLAYS, "separator": ";", "weight": "n", "decimal": ",", "thousands": "."}
    data = read({"plays.csv": rows}, interactions=mapping)
    assert data.interactions.weights.tolist() == [1234.5, 3.0]


def test_times_have_the_form_that_is_stated(read):
    mapping = {**PLAYS, "time": "t", "time_format": "%d.%m.%Y %H:%M"}
    data = read({"plays.csv": "uid,song,t\na,x,02.01.1970 00:01 \n"}, interactions=mapping)
    assert data.interactions.times.tolist() == [86460.0]
    with pytest.raises(DataError, match=r"column 't' is '1970-01-02', not a time .* of the form '%d.%m.%Y %H:%M'"):
        read({"plays.csv": "uid,song,t\na,x,1970-01-02\n"}, interactions=mapping)
    mapping = {**PLAYS, "time": "t", "time_unit": "ns"}
    data = read({"plays.csv": "uid,song,t\na,x,86460000000000\n"}, interactions=mapping)
    assert data.interactions.times.tolist() == [86460.0]


def test_texts_may_stand_for_a_missing_value(read):
    rows = "uid,song\na,x\n?,y\n"
    assert len(read({"plays.csv": rows}).users) == 2
    with pytest.raises(DataError, match=r"plays.csv, line 3: column 'uid' is missing"):
        read({"plays.csv": rows}, interactions={**PLAYS, "missing": ["?"]})


def test_ids_that_are_all_written_as_floats_are_integers(read):
    data = read({"plays.csv": "uid,song\n17850.0,1.0\n7.0,1.5\n"})
    assert list(data.users.vocabulary.ids) == ["17850", "7"]
    assert list(data.items.vocabulary.ids) == ["1.0", "1.5"]


@pytest.mark.parametrize("odd", ["b\0c", "b\ufeff", "   ", "x" * 10_001, '"b\nc"', '"b\rc"'])
def test_ids_that_cannot_be_meant_are_malformed(tmp_path, odd):
    text = f"id,n\na,1\n{odd},2\nb c,3\n"
    message = r"line 3: column 'id' is .*, not an id \(1 of 3 rows are bad\); an id is not blank"
    with pytest.raises(DataError, match=message) as told:
        table(tmp_path, text).ids("id")
    assert len(str(told.value)) < 400
    assert table(tmp_path, text, strict=False).ids("id").to_list() == ["a", None, "b c"]
    assert len(table(tmp_path, "id\n" + "x" * 10_000 + "\n").ids("id")) == 1


def test_a_line_is_malformed_once_whatever_its_columns_hold(tmp_path):
    read = table(tmp_path, "id,n,t\na,1,2020\n,x,y\nb,x,2020\n", strict=False)
    for column in (read.ids("id"), read.numbers("n"), read.times("t"), read.ids("id")):
        assert column[1] is None
    assert read.bad_lines.count == 2
    (note,) = read.bad_lines.notes()
    assert "line 3: column 'id' is missing" in note
    assert "line 4: column 'n' is 'x'" in note
