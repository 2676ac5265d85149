"""Tables of many files: folders, patterns, partitions and addresses in cloud storage."""

import gzip
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import polars as pl
import pytest
from pydantic import ValidationError

from hybridrec.data.io import files
from hybridrec.data.io.part_files import cloud_path, is_cloud, part_files, tables_among, tables_inside
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError
from tests.data.tables import PLAYS, plays_of

ROWS = [("1", "b", 30), ("2", "a", 20), ("1", "a", 10), ("2", "c", 40)]


@pytest.fixture
def reader(tmp_path):
    """Make a reader of the given interactions, beside the files of the test."""

    def make(path, **more):
        options = {key: more.pop(key) for key in ("strict",) if key in more}
        mapping = {"interactions": {**PLAYS, "path": path, **more}, **options}
        return TableReader(TableOptions.model_validate(mapping, context={"folder": tmp_path}))

    return make


def frame(rows):
    return pl.DataFrame(rows, schema=["uid", "song", "at"], orient="row")


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame(rows).write_parquet(path)
    elif path.suffix == ".jsonl":
        frame(rows).write_ndjson(path)
    else:
        text = frame(rows).write_csv().encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@pytest.mark.parametrize("limit", [1 << 26, 0])
@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz", "jsonl"])
def test_parts_are_one_table_in_the_order_of_their_names(reader, tmp_path, monkeypatch, ending, limit):
    monkeypatch.setattr(files, "_KEPT_AS_TEXT", limit)
    write(tmp_path / f"plays/b.{ending}", ROWS[2:])
    write(tmp_path / f"plays/a.{ending}", ROWS[:2])
    (tmp_path / "plays/_SUCCESS").touch()
    (tmp_path / f"plays/.a.{ending}.crc").write_bytes(b"checksum")
    write(tmp_path / "whole.csv", ROWS)
    whole = reader("whole.csv").read()
    assert plays_of(whole, "1") == ["b", "a"]
    for path in ("plays", f"plays/*.{ending}", "pl?ys", f"**/[ab].{ending}"):
        assert reader(path).read().fingerprint == whole.fingerprint


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_folders_state_the_values_of_a_column(reader, tmp_path, ending):
    for country, rows in (("at", ROWS[:1]), ("de%2Fby", ROWS[1:3]), ("__HIVE_DEFAULT_PARTITION__", ROWS[3:])):
        write(tmp_path / f"plays/day=2024-01-0{len(rows)}/country={country}/part.{ending}", rows)
    data = reader("plays", time="day", context={"country": "category"}).read()
    assert data.interactions.context.columns["country"].categories == ("at", "de/by")
    assert data.interactions.times.max() - data.interactions.times.min() == 86400


def test_a_partition_keeps_ids_as_they_are(reader, tmp_path):
    write(tmp_path / "plays/shop=007/part.parquet", ROWS)
    assert reader("plays", user="shop").read().users.vocabulary.ids.to_list() == ["007"]


def test_parts_of_other_partitions_are_refused(tmp_path):
    write(tmp_path / "plays/year=2023/a.csv", ROWS)
    write(tmp_path / "plays/b.csv", ROWS)
    with pytest.raises(DataError, match=r"b.csv state nothing.*year|year=2023/a.csv state year.*nothing"):
        part_files(tmp_path / "plays")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a.csv": "uid,song\n1,b\n", "b.csv": "1,b\n2,c\n"}, r"b.csv has the columns 1, b, and .*a.csv uid, song"),
        ({"a.csv": "uid,song\n1,b\n", "b.jsonl": "{}\n"}, r"several formats \(csv, jsonl\)"),
        ({"a.csv": "uid,song\n1,b\n", "b.csv": ""}, r"b.csv is empty"),
        ({"a.csv": "uid,song\n1,b\n", "b.csv": "uid,song\n1,b\n,c\n"}, r"b.csv, line 3: column 'uid' is missing"),
        ({"a.csv": "uid,song\n1,b\n", "b.csv": "uid,song\n1,b,c\n"}, r"b.csv, line 2: 3 fields"),
        ({"_a.csv": "uid,song\n1,b\n"}, r"plays: the folder holds no files of data"),
        ({"_delta_log/0.json": "", "a.csv": ""}, r"Delta or Iceberg"),
    ],
)
def test_the_message_names_the_part(reader, tmp_path, content, says):
    for name, text in content.items():
        (tmp_path / "plays" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "plays" / name).write_text(text)
    with pytest.raises(DataError, match=says):
        reader("plays").read()


def test_rows_are_counted_within_their_part(reader, tmp_path):
    write(tmp_path / "plays/a.parquet", [*ROWS, *ROWS])
    write(tmp_path / "plays/b.parquet", [ROWS[0], (None, "c", 1)])
    with pytest.raises(DataError, match=r"b.parquet, row 2: column 'uid' is missing \(1 of 10 rows are bad\)"):
        reader("plays").read()


def test_bad_rows_of_several_parts_are_told_of_each(reader, tmp_path):
    write(tmp_path / "plays/a.parquet", [ROWS[0], (None, "c", 1), ROWS[1]])
    write(tmp_path / "plays/b.parquet", [(None, "c", 1), ROWS[0]])
    made = reader("plays", strict=False)
    made.read()
    first, second = made.notes()
    assert "a.parquet: 1 malformed line was skipped; row 2: column 'uid' is missing" in first
    assert "b.parquet: 1 malformed line was skipped; row 1: column 'uid' is missing" in second


def test_lines_that_are_passed_over_are_told_of_each_part(reader, tmp_path):
    (tmp_path / "plays").mkdir()
    (tmp_path / "plays/a.csv").write_text("uid,song\n1,b\n1,b,c\n2,c\n")
    (tmp_path / "plays/b.csv").write_text("uid,song\n1,a\n,c\n2,d\n")
    made = reader("plays", strict=False)
    assert plays_of(made.read(), "2") == ["c", "d"]
    first, second = made.notes()
    assert re.search(r"a.csv: 1 malformed line was skipped; line 3: 3 fields", first)
    assert re.search(r"b.csv: 1 malformed line was skipped; line 3: column 'uid' is missing", second)


def test_numbers_may_be_shorter_in_a_part_and_columns_may_be_missing(reader, tmp_path):
    (tmp_path / "plays").mkdir()
    first = pl.DataFrame({"uid": pl.Series([1, 2], dtype=pl.Int32), "song": ["a", "b"], "price": [1.5, 2.5]})
    first.write_parquet(tmp_path / "plays/a.parquet")
    second = pl.DataFrame({"song": ["c"], "uid": [2**40], "more": ["x"]})
    second.write_parquet(tmp_path / "plays/b.parquet")
    data = reader("plays", context={"price": "number"}).read()
    assert plays_of(data, str(2**40)) == ["c"]
    prices = data.interactions.context.columns["price"].values
    assert sorted(map(str, prices)) == ["1.5", "2.5", "nan"]
    second.with_columns(uid=pl.lit("x")).write_parquet(tmp_path / "plays/b.parquet")
    with pytest.raises(DataError, match=r"b.parquet: column 'uid' holds String, and Int32 in .*a.parquet"):
        reader("plays").read()


def test_a_pattern_without_matches(reader):
    with pytest.raises(DataError, match=r"\*.parquet: no file matches"):
        reader("*.parquet").read()


def test_a_readme_beside_parts_is_no_part_unless_a_format_is_stated(reader, tmp_path):
    write(tmp_path / "plays/a.csv", ROWS[:2])
    write(tmp_path / "plays/b.csv", ROWS[2:])
    (tmp_path / "plays/README.md").write_text("# Plays, by day\n")
    assert plays_of(reader("plays").read(), "1") == ["b", "a"]
    assert plays_of(reader("pl?ys").read(), "1") == ["b", "a"]
    with pytest.raises(DataError, match=r"README.md"):
        reader("plays", format="csv").read()
    (tmp_path / "plays/README.md").unlink()
    (tmp_path / "plays/b.csv").rename(tmp_path / "plays/part-b")
    assert plays_of(reader("plays", format="csv").read(), "1") == ["b", "a"]


@pytest.mark.parametrize("name", ["plays-2.txt", "plays-2", "plays-2.dat"])
def test_parts_whose_ending_shows_no_format_are_read(reader, tmp_path, name):
    write(tmp_path / "plays/plays-1.csv", ROWS[:2])
    write(tmp_path / "plays/b.csv", ROWS[2:])
    (tmp_path / "plays/b.csv").rename(tmp_path / "plays" / name)
    for path in ("plays", "plays/plays-*"):
        assert plays_of(reader(path).read(), "1") == ["b", "a"]


def test_names_with_brackets_are_names(reader, tmp_path):
    write(tmp_path / "[1]/plays[2].parquet", ROWS)
    assert plays_of(reader("[1]/plays[2].parquet").read(), "1") == ["b", "a"]
    assert plays_of(reader("[1]/plays*.parquet").read(), "1") == ["b", "a"]


def test_the_fingerprint_follows_every_file(reader, tmp_path, monkeypatch):
    def fingerprint():
        monkeypatch.setattr(files.time, "time", lambda: 4e9)  # the time of change cannot be set back
        return reader("plays").fingerprint()

    monkeypatch.setattr("hybridrec.data.readers.table.WORTH_STORING", 0)
    write(tmp_path / "plays/a.csv", ROWS)
    write(tmp_path / "plays/b.csv", ROWS)
    assert reader("plays").fingerprint() is None  # they may change within the same tick of the clock
    first = fingerprint()
    assert first == fingerprint() is not None
    write(tmp_path / "plays/c.csv", ROWS)
    second = fingerprint()
    assert second != first
    (tmp_path / "plays/b.csv").write_text("uid,song,at\n1,z,9\n")
    assert fingerprint() != second
    monkeypatch.setattr("hybridrec.data.readers.table.WORTH_STORING", 1 << 24)
    assert fingerprint() is None


def test_files_whose_names_differ_in_numbers_are_one_table(tmp_path):
    for name in ("plays-1.csv", "plays-22.csv", "songs.csv", "users1.csv", "plays-22.tsv"):
        (tmp_path / name).touch()
    given = [tmp_path / name for name in ("plays-1.csv", "songs.csv", "plays-22.csv")]
    assert tables_among(given) == [tmp_path / "plays-*.csv", tmp_path / "songs.csv"]
    assert tables_among(given[:2]) == given[:2]
    (tmp_path / "plays-x.csv").touch()  # which the pattern would match
    assert tables_among(given) == [tmp_path / "plays-1.csv", tmp_path / "plays-22.csv", tmp_path / "songs.csv"]


def test_tables_in_a_folder(tmp_path):
    for name in (
        "lake/year=2024/part-0.csv",
        "one/part-0.csv",
        "one/_SUCCESS",
        "one/logs/run.log",
        "two/p0.csv",
        "two/p1.csv",
        "songs.csv",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/report.csv").touch()
    names = ("songs.csv", "lake", "one", "two")
    assert tables_inside(tmp_path, lambda file: file.suffix == ".csv") == [tmp_path / name for name in names]
    assert tables_inside(tmp_path / "two", lambda file: True) == [tmp_path / "two"]


def test_links_in_a_circle_are_not_followed(tmp_path):
    for name in ("plays.csv", "a/songs.csv", "b/c/p0.csv", "b/c/p1.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for folder in ("a", "b"):  # two links in each of two folders double the paths with every level
        for other in ("a", "b"):
            (tmp_path / folder / f"to-{other}").symlink_to(tmp_path / other, target_is_directory=True)
    looked_at = []
    assert tables_inside(tmp_path, lambda file: looked_at.append(file) or True) == [tmp_path / "plays.csv"]
    assert {file.relative_to(tmp_path).as_posix() for file in looked_at} == {"plays.csv", "a/songs.csv"}


class Bucket(BaseHTTPRequestHandler):
    """A storage of objects with the answers of S3 that a reader needs."""

    objects: dict[str, bytes] = {}
    asked: list[str] = []

    def do_GET(self):
        place = urlsplit(self.path)
        key = place.path.removeprefix("/bucket").lstrip("/")
        type(self).asked.append(self.headers.get("Authorization", ""))
        if "list-type" in place.query:
            prefix = parse_qs(place.query).get("prefix", [""])[0]
            keys = sorted(name for name in self.objects if name.startswith(prefix))
            rows = "".join(
                f"<Contents><Key>{escape(name)}</Key><Size>{len(self.objects[name])}</Size>"
                '<LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>"1"</ETag></Contents>'
                for name in keys
            )
            head = f"<Name>bucket</Name><KeyCount>{len(keys)}</KeyCount><IsTruncated>false</IsTruncated>"
            return self.answer(200, f"<ListBucketResult>{head}{rows}</ListBucketResult>".encode())
        if key not in self.objects:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        content = self.objects[key]
        if span := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            first, last = span.groups()
            start = int(first) if first else max(0, len(content) - int(last))
            stop = min(len(content), int(last) + 1 if first and last else len(content))
            return self.answer(206, content[start:stop], f"bytes {start}-{stop - 1}/{len(content)}")
        return self.answer(200, content)

    do_HEAD = do_GET  # noqa: N815

    def answer(self, status, content, span=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        self.send_header("Accept-Ranges", "bytes")
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def bucket(monkeypatch):
    """Serve a bucket, and set what the environment says of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setattr(Bucket, "objects", {})
    monkeypatch.setattr(Bucket, "asked", [])
    yield Bucket.objects
    server.shutdown()
    server.server_close()


def test_objects_in_cloud_storage_are_read_as_files_are(reader, tmp_path, bucket):
    write(tmp_path / "whole.parquet", ROWS)
    write(tmp_path / "a.parquet", ROWS[:2])
    write(tmp_path / "b.parquet", ROWS[2:])
    write(tmp_path / "whole.csv", ROWS)
    bucket["lake/plays.parquet"] = (tmp_path / "whole.parquet").read_bytes()
    bucket["lake/plays.csv"] = (tmp_path / "whole.csv").read_bytes()
    bucket["lake/plays/a.parquet"] = (tmp_path / "a.parquet").read_bytes()
    bucket["lake/plays/b.parquet"] = (tmp_path / "b.parquet").read_bytes()
    local = reader("whole.parquet").read().fingerprint
    for path, more in (
        ("s3://bucket/lake/plays.parquet", {}),
        ("s3://bucket/lake/plays.csv", {}),
        ("s3://bucket/lake/plays/*.parquet", {}),
        ("s3://bucket/lake/plays", {"format": "parquet"}),
    ):
        made = reader(path, **more)
        assert made.read().fingerprint == local
        assert made.fingerprint() is None
        assert made.config.model_dump(mode="json")["interactions"]["path"] == path
    assert any("Credential=reader/" in asked for asked in Bucket.asked)


def test_an_object_that_is_missing_is_named_without_credentials(reader, bucket):
    with pytest.raises(DataError, match=r"^s3://bucket/none.parquet cannot be read as parquet") as refused:
        reader("s3://bucket/none.parquet").read()
    assert "very-secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["https://ann:s3cret@host/plays.csv", "https://host/plays.csv?x=1&sig=s3cret"])
def test_credentials_in_an_address_are_refused_unseen(reader, address):
    with pytest.raises(ValidationError, match="credentials are not written") as refused:
        reader(address)
    assert "s3cret" not in str(refused.value)


def test_addresses_keep_their_slashes():
    assert is_cloud(Path("s3://bucket/a"))
    assert not is_cloud(Path("C:/data"))
    assert not is_cloud("plays.csv")
    assert str(cloud_path(Path("s3://bucket/a"))) == "s3://bucket/a"
    assert str(cloud_path("abfss://box@account.dfs.core.windows.net/a")) == "abfss://box@account.dfs.core.windows.net/a"
