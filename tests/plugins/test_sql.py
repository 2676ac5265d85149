"""Reader `sql`: the same data from SQLite, DuckDB and a real PostgreSQL as from files, and no password anywhere."""

import datetime
import decimal
import sqlite3
import tracemalloc
import uuid
from contextlib import closing
from urllib.parse import quote

import polars as pl
import pytest
import yaml
from pydantic import ValidationError

from hybridrec import ConfigError, DataError, MissingDependencyError, TableOptions, TableReader
from hybridrec.secret import redacted
from hybridrec.testing import ReaderContract
from hybridrec_sql.database import identity_of, place_of
from hybridrec_sql.reader import SqlOptions, SqlReader
from hybridrec_sql.results import Coder, column_of, frame_of, is_ordered
from tests.data.tables import plays_of
from tests.plugins.postgres import PASSWORD, server

sqlalchemy = pytest.importorskip("sqlalchemy", reason="the extra sql is not installed")

PLAYS = [
    (user, f"song {(user * 7 + n * 3) % 11}", 86400 * (n + 1), n % 3 + 1) for user in range(1, 31) for n in range(9)
]
SONGS = [(f"song {n}", f"Song number {n}", "jazz" if n % 2 else "folk") for n in range(11)]
MAPPING = {
    "interactions": {"path": "frame:plays", "user": "uid", "item": "song", "time": "heard", "weight": "times"},
    "items": {"path": "frame:songs", "id": "song", "text": ["title"], "tags": {"genre": "genre"}},
}
QUERIES = {"plays": "SELECT uid, song, heard, times FROM plays WHERE times > 0", "songs": "songs"}


def fill(execute):
    execute("CREATE TABLE plays (uid bigint, song varchar, heard bigint, times integer)")
    execute("CREATE TABLE songs (song varchar, title varchar, genre varchar)")
    rows = ", ".join(map(str, reversed(PLAYS)))
    execute(f"INSERT INTO plays VALUES {rows}")
    execute(f"INSERT INTO songs VALUES {', '.join(map(str, SONGS))}")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same data in files, in a SQLite and a DuckDB database."""
    folder = tmp_path_factory.mktemp("databases")
    pl.DataFrame(PLAYS, ["uid", "song", "heard", "times"], orient="row").write_csv(folder / "plays.csv")
    pl.DataFrame(SONGS, ["song", "title", "genre"], orient="row").write_csv(folder / "songs.csv")
    connection = sqlite3.connect(folder / "plays.db")
    fill(connection.execute)
    connection.commit()
    connection.close()
    return folder


@pytest.fixture(scope="module")
def postgres():
    """The address of a server with the same data, with its password."""
    pytest.importorskip("psycopg", reason="the extra sql is not installed")
    with server() as place:
        address = f"postgresql://hy:{quote(PASSWORD, '')}@{place}"
        engine = sqlalchemy.create_engine(address.replace("://", "+psycopg://"), poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            fill(connection.exec_driver_sql)
            connection.exec_driver_sql("CREATE SEQUENCE numbers")
        yield address


@pytest.fixture
def as_files(files):
    mapping = {key: {**table, "path": table["path"].replace("frame:", "") + ".csv"} for key, table in MAPPING.items()}
    return TableReader(TableOptions.model_validate(mapping, context={"folder": files})).read()


def reader(folder=None, **options):
    options = {"queries": QUERIES, **MAPPING, **options}
    return SqlReader(SqlOptions.model_validate(options, context={"folder": folder}))


class TestSqlReader(ReaderContract):
    reader = SqlReader
    configs = [{"database": "plays.db", "queries": QUERIES, **MAPPING}]

    @pytest.fixture(autouse=True)
    def folder(self, files, monkeypatch):
        monkeypatch.chdir(files)


def test_sqlite_holds_the_same_data_as_files(files, as_files):
    assert reader(files, database="plays.db").read().fingerprint == as_files.fingerprint


def test_duckdb_holds_the_same_data_as_files(files, as_files, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    pytest.importorskip("duckdb_engine", reason="duckdb-engine is not installed")
    connection = duckdb.connect(str(files / "plays.duckdb"))
    fill(connection.execute)
    connection.close()
    assert reader(files, database="plays.duckdb").read().fingerprint == as_files.fingerprint
    monkeypatch.setenv("PLAYS", f"duckdb:///{files / 'plays.duckdb'}")
    assert reader(database="env:PLAYS").read().fingerprint == as_files.fingerprint


@pytest.mark.parametrize("batch", [7, 5000])
def test_postgresql_holds_the_same_data_as_files(postgres, as_files, monkeypatch, batch):
    monkeypatch.setenv("PLAYS", postgres)
    monkeypatch.setattr("hybridrec_sql.reader.BATCH", batch)
    assert reader(database="env:PLAYS").read().fingerprint == as_files.fingerprint


def test_types_of_postgresql_become_columns(postgres, monkeypatch):
    monkeypatch.setenv("PLAYS", postgres)
    query = """
        SELECT ('00000000-0000-0000-0000-00000000000' || uid % 5)::uuid AS uid, uid::numeric(20, 4) AS song,
               to_timestamp(heard) AS heard, (times * 1.5)::numeric(8, 3) AS times, times > 1 AS often,
               '50% :x' AS shop, date '2024-01-02' AS day
        FROM plays WHERE song LIKE 'song %' ORDER BY 1, 2, 3
    """
    context = {"often": "flag", "shop": "category", "day": "time"}
    interactions = {**MAPPING["interactions"], "context": context}
    data = reader(database="env:PLAYS", queries={"plays": query}, interactions=interactions, items=None).read()
    assert data.users.vocabulary.ids[0] == "00000000-0000-0000-0000-000000000000"
    assert set(data.items.vocabulary.ids) == {str(n) for n in range(1, 31)}
    assert set(data.interactions.times) == {86400.0 * n for n in range(1, 10)}
    assert set(data.interactions.weights) == {1.5, 3.0, 4.5}
    assert data.interactions.context.columns["shop"].categories == ("50% :x",)
    assert set(data.interactions.context.columns["day"].values) == {1704153600.0}


def test_a_list_column_is_a_whole_playlist(postgres, monkeypatch):
    monkeypatch.setenv("PLAYS", postgres)
    query = "SELECT uid, array_agg(song ORDER BY heard) AS song FROM plays GROUP BY uid"
    interactions = {"path": "frame:lists", "user": "uid", "item": "song"}
    data = reader(database="env:PLAYS", queries={"lists": query}, interactions=interactions, items=None).read()
    assert plays_of(data, "5") == [song for uid, song, *_ in PLAYS if uid == 5]
    alone = {"lists": "SELECT array_agg(song) AS song FROM plays GROUP BY uid"}
    with pytest.raises(DataError, match=r"frame:lists has no column 'uid'"):
        reader(database="env:PLAYS", queries=alone, interactions=interactions, items=None).read()


def test_all_queries_see_the_same_moment_and_nothing_is_written(postgres, monkeypatch):
    monkeypatch.setenv("PLAYS", postgres)
    with pytest.raises(DataError, match=r"data.queries.plays: .*read-only transaction"):
        reader(database="env:PLAYS", queries={**QUERIES, "plays": "SELECT nextval('numbers')"}).read()
    assert len(reader(database="env:PLAYS").read().interactions.ids) == len(PLAYS)


def test_a_file_is_not_written_either(files):
    with pytest.raises(DataError, match=r"data.queries.plays: .*readonly"):
        reader(files, database="plays.db", queries={**QUERIES, "plays": "DELETE FROM plays RETURNING *"}).read()


@pytest.mark.parametrize("options", ["mode=ro&uri=true", "uri=true"])
def test_an_address_may_hold_a_uri_of_sqlite(files, as_files, tmp_path, monkeypatch, options):
    monkeypatch.setenv("PLAYS", f"sqlite:///file:{files / 'plays.db'}?{options}")
    assert reader(database="env:PLAYS").read().fingerprint == as_files.fingerprint
    monkeypatch.setenv("PLAYS", f"sqlite:///file:{tmp_path / 'none.db'}?{options}")
    with pytest.raises(DataError, match="that env:PLAYS names cannot be read: unable to open database file"):
        reader(database="env:PLAYS").read()
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("table", ["plays", " plays ;\n", '"plays"', 'main."plays";', "`plays`"])
def test_the_name_of_a_table_may_have_quotes_and_a_semicolon(files, as_files, table):
    read = reader(files, database="plays.db", queries={**QUERIES, "plays": table}).read()
    assert read.fingerprint == as_files.fingerprint


def test_rows_without_an_order_are_sorted(files):
    query = "SELECT uid, song FROM plays"
    interactions = {"path": "frame:plays", "user": "uid", "item": "song"}
    made = [
        reader(files, database="plays.db", queries={"plays": text}, interactions=interactions, items=None).read()
        for text in (query, f"SELECT * FROM ({query} ORDER BY song) AS songs", f"{query} ORDER BY heard DESC")
    ]
    assert made[0].fingerprint == made[1].fingerprint
    first, last = (data.interactions.ids[:9] for data in (made[0], made[2]))
    assert list(first) == sorted(first)
    assert list(last) != sorted(last)


def test_the_fingerprint_follows_the_version_and_the_database(files, tmp_path):
    version = "SELECT count(*), max(heard) FROM plays"
    first = reader(files, database="plays.db", version=version).fingerprint()
    assert first == reader(files, database="plays.db", version=version).fingerprint() is not None
    (tmp_path / "plays.db").write_bytes((files / "plays.db").read_bytes())
    elsewhere = reader(tmp_path, database="plays.db", version=version).fingerprint()
    assert elsewhere not in (first, None)
    connection = sqlite3.connect(tmp_path / "plays.db")
    connection.execute("INSERT INTO plays VALUES (1, 'song 1', 999999999, 1)")
    connection.commit()
    connection.close()
    assert reader(tmp_path, database="plays.db", version=version).fingerprint() != elsewhere
    assert reader(files, database="plays.db").fingerprint() is None
    beside = {**MAPPING["items"], "path": "songs.csv"}
    assert reader(files, database="plays.db", version=version, items=beside).fingerprint() is None


def test_the_fingerprint_follows_the_parameters_of_the_address(files, monkeypatch):
    made = []
    for seconds in (5, 6):
        monkeypatch.setenv("PLAYS", f"sqlite:///{files / 'plays.db'}?timeout={seconds}")
        made.append(reader(database="env:PLAYS", version="SELECT count(*) FROM plays").fingerprint())
    assert made[0] != made[1]


ODBC = "mssql+pyodbc:///?odbc_connect=" + quote("DRIVER={x};SERVER=staging;UID=ann;PWD=a;DATABASE=db", "")


def identity(address):
    return identity_of(sqlalchemy.make_url(address))


@pytest.mark.parametrize(
    ("address", "other"),
    [
        (ODBC, ODBC.replace("staging", "prod")),
        (ODBC, ODBC.replace("ann", "bob")),
        (ODBC, ODBC.replace("DATABASE%3Ddb", "DATABASE%3Dother")),
        ("postgresql://h/db?options=-csearch_path%3Da", "postgresql://h/db?options=-csearch_path%3Db"),
        ("postgresql:///?service=a", "postgresql:///?service=b"),
        ("postgresql:///db?host=a&host=b", "postgresql:///db?host=a&host=c"),
        ("postgresql://ann@h/db", "postgresql://bob@h/db"),
        ("cassandra://h/db?keyspace=a", "cassandra://h/db?keyspace=b"),
    ],
)
def test_addresses_that_lead_elsewhere_have_another_identity(address, other):
    assert identity(address) != identity(other)


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("postgresql://ann:a@h/db?service=x", "postgresql://ann:b@h/db?service=x"),
        ("postgresql://ann@h/db?password=a&sslpassword=b", "postgresql://ann@h/db?password=c"),
        ("snowflake://ann@h/db?token=a", "snowflake://ann@h/db?private_key=b"),
        ("x://h/db?proxy=http://ann:a@p", "x://h/db?proxy=http://ann:b/@c@p"),
        *((ODBC, ODBC.replace("PWD%3Da", quote(pair, ""))) for pair in ("PWD={b;c}}d}", "pwd = b&c=d", "PWD=")),
    ],
)
def test_no_password_is_in_the_identity_of_an_address(address, other):
    assert identity(address) == identity(other)


def test_the_place_shows_neither_user_nor_password_nor_options():
    address = sqlalchemy.make_url("postgresql://ann:hush@host:5432/db?options=x")
    assert place_of(address) == "postgresql://host:5432/db"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"queries": {**QUERIES, "plays": "SELECT uid, song FROM none"}},
            r"data.queries.plays: no such table: none",
        ),
        ({"queries": {**QUERIES, "plays": "SELECT uid, song FROM plays"}}, r"frame:plays has no column 'heard'"),
        ({"queries": {**QUERIES, "plays": "SELECT uid, uid FROM plays"}}, r"data.queries.plays: two columns .*'uid'"),
        ({"queries": {**QUERIES, "plays": "SELECT 1 AS x"}}, r"none of the columns that the config names; it has x"),
        ({"queries": {**QUERIES, "plays": "SELECT * FROM plays WHERE uid < 0"}}, r"frame:plays has no interactions"),
        (
            {
                "queries": {
                    **QUERIES,
                    "plays": "SELECT nullif(uid, 3) AS uid, song, heard, times FROM plays ORDER BY uid",
                }
            },
            r"frame:plays, row 1: column 'uid' is missing \(9 of 270 rows are bad\)",
        ),
        (
            {"queries": {**QUERIES, "plays": "SELECT uid, song, x'00' AS heard, times FROM plays"}},
            r"'heard' holds bytes",
        ),
        ({"queries": {"songs": "songs"}}, r"frame:plays: no frame 'plays'"),
        ({"database": "songs.csv"}, r"songs.csv is a database of neither SQLite nor DuckDB"),
        ({"database": "none.db"}, r"none.db: no such file"),
    ],
)
def test_mistakes_are_told(files, change, says):
    with pytest.raises(DataError, match=says):
        reader(files, **{"database": "plays.db", **change}).read()


def test_an_address_is_not_written_down(tmp_path):
    with pytest.raises(ValidationError, match="say `env:NAME`") as refused:
        reader(database="postgresql://ann:s3cret@host/db")
    assert "s3cret" not in str(refused.value)
    (tmp_path / "address").write_text(f"sqlite:///{tmp_path / 'none.db'}\n")
    with pytest.raises(DataError, match=r"none.db: no such file"):
        reader(tmp_path, database="file:address").read()


@pytest.mark.parametrize(
    ("address", "kind", "says"),
    [
        ("nothing like it hush-hush", ConfigError, "env:PLAYS does not hold the address"),
        ("mystery://ann:hush-hush@host/db", ConfigError, "no dialect 'mystery'"),
        ("mysql+pymysql://ann:hush-hush@host/db", MissingDependencyError, "the driver 'pymysql'"),
        ("sqlite:////nowhere/none.db", DataError, "none.db: no such file"),
        ("postgresql://ann:hush-hush@127.0.0.1:1/db", DataError, "the database that env:PLAYS names cannot be read"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_it(monkeypatch, address, kind, says):
    if address.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="the extra sql is not installed")
    monkeypatch.setenv("PLAYS", address)
    with pytest.raises(kind, match=says) as refused:
        reader(database="env:PLAYS").read()
    assert "hush" not in str(refused.value)


CONFIG = {
    "name": "plays",
    "data": {"reader": "sql", "database": "env:PLAYS", "queries": QUERIES, **MAPPING},
    "split": {"use": "random"},
    "components": {"popularity": {}},
    "pipelines": {"control": {"generators": [{"from": "popularity"}]}},
    "compare": {"control": "control", "metrics": ["ndcg@10"]},
    "refit": "all",
}


def test_no_password_is_in_any_file_or_message(postgres, tmp_path, monkeypatch, call, succeed):
    spellings = {PASSWORD, quote(PASSWORD, ""), PASSWORD.encode().hex(), repr(PASSWORD)[1:-1]}
    (tmp_path / "plays.yaml").write_text(yaml.safe_dump(CONFIG))
    monkeypatch.setenv("PLAYS", postgres)
    told = "".join(succeed(*command, cwd=tmp_path) for command in (["run", "plays.yaml"], ["check", "plays.yaml"]))
    for old, new in (("hy:", "hy:x"), ("/postgres", "/none"), ("hy:", "no:")):
        wrong = new.join(postgres.rsplit(old, 1))
        monkeypatch.setenv("PLAYS", wrong)
        status, out, err = call("run", "plays.yaml")
        assert status == 2
        told += out + err
    assert "password authentication failed" in told
    for file in [*tmp_path.rglob("*"), *tmp_path.rglob(".*")]:
        if file.is_file():
            content = file.read_bytes()
            assert not [spelling for spelling in spellings if spelling.encode() in content], file
    assert not [spelling for spelling in spellings if spelling in told]
    assert redacted(f"failed for {PASSWORD}") == "failed for ***"


def test_rows_are_never_all_in_memory_as_objects(tmp_path, monkeypatch):
    monkeypatch.setattr("hybridrec_sql.reader.BATCH", 1000)
    connection = sqlite3.connect(tmp_path / "plays.db")
    connection.execute("CREATE TABLE plays (uid bigint, song varchar, heard bigint, times integer)")
    rows = ((n % 997, f"song {n % 501}", 86400 * n, 1) for n in range(60_000))
    connection.executemany("INSERT INTO plays VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    made = reader(tmp_path, database="plays.db", queries={"plays": "plays"}, items=None)
    reader(tmp_path, database="plays.db", queries={"plays": "SELECT * FROM plays LIMIT 5"}, items=None).tables()
    tracemalloc.start()
    try:
        assert len(made.tables()["plays"]) == 60_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3e6  # all rows at once take 16 MB


def test_values_of_drivers():
    decimals = [decimal.Decimal("1.50"), None, decimal.Decimal(2)]
    assert column_of("x", decimals).to_list() == [1.5, None, 2.0]
    assert column_of("x", [None, None]).to_list() == [None, None]
    assert column_of("x", [1, 2.5, None]).to_list() == [1.0, 2.5, None]
    assert column_of("x", [1, "a"]).to_list() == ["1", "a"]
    zone = datetime.timezone(datetime.timedelta(hours=2))
    times = [datetime.datetime(2024, 1, 1, 2, tzinfo=zone), datetime.datetime(2024, 1, 1)]
    assert column_of("x", times).dt.epoch("s").to_list() == [1704067200] * 2
    coder = Coder()
    codes = coder.codes([7.0, decimal.Decimal("8.00"), uuid.UUID(int=0), None, b"\x0f", "b", 7, 2.5])
    texts = ["7", "8", str(uuid.UUID(int=0)), None, "0f", "b", "7", "2.5"]
    assert coder.decoded(codes).cast(pl.String).to_list() == texts
    batches = [(["a", "b"], [(1, None), (2, None)]), (["a", "b"], [(0, 2.5)])]
    assert frame_of(batches, {"a", "b"}, {"a"}, ordered=False).rows() == [("0", 2.5), ("1", None), ("2", None)]
    lists = [(["a"], [([2, 1],), ([1],)])]
    assert frame_of(lists, {"a"}, {"a"}, ordered=False).rows() == [([2, 1],), ([1],)]
    with pytest.raises(DataError, match="do not go together"):
        frame_of([(["b"], [(1,)]), (["b"], [([1],)])], {"b"}, set(), ordered=True)


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("SELECT a FROM t ORDER  BY a", True),
        ("SELECT row_number() OVER (ORDER BY a) FROM t", False),
        ("SELECT a FROM t WHERE b = ' ORDER BY a'", False),
        ("SELECT a FROM t -- ORDER BY a", False),
        ("SELECT a FROM t WHERE b IN (SELECT (c) FROM d) order by a", True),
    ],
)
def test_only_an_order_of_the_whole_result_counts(query, ordered):
    assert is_ordered(query) is ordered


def test_names_of_bytes_in_a_damaged_file_of_sqlite_are_told(tmp_path):
    path = tmp_path / "plays.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE plays (uid text, song text)")
    path.write_bytes(path.read_bytes().replace(b"song text", b"so\x97g text"))
    mapping = {"path": "frame:plays", "user": "uid", "item": "song"}
    with pytest.raises(DataError, match=r"data.queries.plays: .*can't decode byte 0x97"):
        SqlReader(SqlOptions(database=path, queries={"plays": "plays"}, interactions=mapping)).read()
