"""State stores on real databases: SQLite and a server of PostgreSQL keep events once, in order, bounded, and forget."""

import asyncio
import queue
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from hybridrec import ConfigError, MissingDependencyError
from hybridrec_server.state.base import Busy, Event, StateLimits
from hybridrec_server.state.postgres import PostgresDatabase
from hybridrec_server.state.sqlite import SqliteDatabase
from hybridrec_server.state.store import MOST_WAITING, DatabaseStateStore, _Task, open_state
from tests.plugins.postgres import PASSWORD, server

NOW = time.time()


def event(number, unit="ann", **changes):
    fields = {
        "id": f"e{number}",
        "unit": unit,
        "item": f"item {number}",
        "kind": "play",
        "time": NOW + number,
        "received": NOW,
    }
    return Event(**{**fields, **changes})


def items(events):
    return [each.item for each in events]


@pytest.fixture(scope="module")
def postgres():
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    with server() as place:
        yield f"postgresql://hy:{quote(PASSWORD, '')}@{place}"


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request, tmp_path):
    """An address of an empty state."""
    if request.param == "sqlite":
        return str(tmp_path / "state.db")
    import psycopg

    address = request.getfixturevalue("postgres")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS hybridrec_events_1")
    return address


def run(address, work, **options):
    """Run `work(store)` on an open store."""

    async def main():
        store = open_state(address, **options)
        await store.start()
        try:
            return await work(store)
        finally:
            await store.stop()

    return asyncio.run(main())


def test_events_come_back_oldest_first_and_whole_after_a_restart(address):
    given = [event(2, value=0.5, request="r1"), event(1), event(3, "bob"), event(0, item="é", time=NOW + 1)]

    async def write(store):
        return await store.write(given)

    assert run(address, write).new == (True, True, True, True)
    read = run(address, lambda store: store.read(["bob", "ann", "nobody"]))
    assert read == {"ann": [given[3], given[1], given[0]], "bob": [given[2]]}
    assert run(address, lambda store: store.read([])) == {}


def test_an_event_is_stored_once_under_the_name_of_the_person_and_its_own(address):
    async def work(store):
        first = await store.write([event(1), event(1, item="another"), event(1, "bob")])
        return first, await store.write([event(1), event(2)]), await store.read(["ann", "bob"])

    first, second, read = run(address, work)
    assert first.new == (True, False, True)
    assert (second.accepted, second.repeated) == (1, 1)
    assert items(read["ann"]) == ["item 1", "item 2"]
    assert items(read["bob"]) == ["item 1"]


def test_writes_at_the_same_time_share_commits_and_each_learns_its_own_outcome(address):
    async def work(store):
        twice = await asyncio.gather(
            *(store.write([event(n % 50, f"person {n % 5}"), event(n, "ann")]) for n in range(100))
        )
        return [written.new for written in twice], store.commits, await store.read(["ann", "person 3"])

    outcomes, commits, read = run(address, work)
    assert outcomes == [(n < 50, True) for n in range(100)]
    assert commits <= 4
    assert items(read["person 3"]) == [f"item {n}" for n in range(50) if n % 5 == 3]
    assert len(read["ann"]) == 100


def test_a_group_is_committed_though_its_queue_may_wait_without_an_end(tmp_path):
    """`SimpleQueue.get` may take a limit that is over before it waits for no limit."""

    class Endless(queue.SimpleQueue):
        def get(self, block=True, timeout=None):
            return super().get(block, timeout if timeout is None or timeout > 0.1 else None)

    async def work(store):
        store._tasks, before = Endless(), store._tasks
        before.put(_Task((), lambda: None, asyncio.get_running_loop().create_future()))  # on to the other queue
        for number in range(2):  # the second group opens a window
            written = asyncio.gather(*(store.write([event(number, f"person {n}")]) for n in range(3)))
            await asyncio.wait_for(written, 10)
        return store.commits

    assert run(str(tmp_path / "state.db"), work) <= 4


def test_the_newest_events_of_a_person_stay_and_old_ones_go(address):
    limits = StateLimits(per_unit=3, days=1)

    async def work(store):
        await store.write([event(0, received=NOW - 90_000), event(5), event(1, "bob")])
        await store.write([event(n) for n in (9, 2, 7)])
        return await store.read(["ann", "bob"])

    read = run(address, work, limits=limits)
    assert {unit: items(events) for unit, events in read.items()} == {
        "ann": ["item 5", "item 7", "item 9"],
        "bob": ["item 1"],
    }


def test_events_beyond_the_retention_are_neither_read_nor_kept(address):
    async def write(store):
        return await store.write([event(n, f"person {n}", received=NOW - 90_000 * (n % 2)) for n in range(9)])

    run(address, write)

    async def work(store):
        people = [f"person {n}" for n in range(9)]
        read = await store.read(people)
        for _ in range(100):  # the writing thread deletes when nothing else is to be done
            await asyncio.sleep(0.05)
            if store._expires > 0:
                break
        return read, store._database.insert([event(1, "person 1"), event(2, "person 2")])

    read, new = run(address, work, limits=StateLimits(days=1))
    assert sorted(read) == [f"person {n}" for n in range(0, 9, 2)]
    assert new == [True, False]


def test_the_walk_in_search_of_old_events_goes_some_persons_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("hybridrec_server.state.sqlite.SLICE", 2)
    database = SqliteDatabase(tmp_path / "state.db", "FULL", StateLimits(days=1))
    database.insert([event(n, f"p{n}", received=NOW - 90_000) for n in range(5)])
    database._connection.execute("UPDATE events SET received = ? WHERE unit = 'p3'", (NOW,))
    steps = [last := ""]
    while (last := database.expire(last)) is not None:
        steps.append(last)
    assert steps == ["", "p1", "p3", "p4"]
    assert [row[1] for row in database.select([f"p{n}" for n in range(5)])] == ["p3"]
    database.close()


def test_a_forgotten_person_is_gone(address, tmp_path):
    async def work(store):
        await store.write([event(n, f"person {n % 40}", id=f"{n}" * 9) for n in range(4000)])
        await store.write([event(n, "mallory-of-the-hill") for n in range(150)])
        number = await store.forget("mallory-of-the-hill")
        for file in tmp_path.iterdir():  # while the database is open, so that the write-ahead log is there
            assert b"mallory-of" not in file.read_bytes(), file.name
        return number, await store.read(["mallory-of-the-hill", "person 1"])

    number, read = run(address, work)
    assert number == 150
    assert sorted(read) == ["person 1"]


def test_a_write_that_cannot_be_stored_costs_no_other(address):
    async def work(store):
        bad = event(1, "bob", item=b"\xff".decode(errors="surrogateescape"))
        outcomes = await asyncio.gather(
            store.write([event(0)]), store.write([bad]), store.write([event(2)]), return_exceptions=True
        )
        return outcomes, await store.read(["ann", "bob"])

    (first, error, last), read = run(address, work)
    assert first.accepted == last.accepted == 1
    assert isinstance(error, UnicodeError)
    assert list(read) == ["ann"]


@contextmanager
def locked(path):
    """Hold the lock of writers of a file of SQLite."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.close()


def test_a_busy_sqlite_is_waited_for_then_says_busy(tmp_path):
    path = tmp_path / "state.db"

    async def work(store):
        await store.write([event(0)])
        with locked(path):
            started = time.monotonic()
            with pytest.raises(Busy, match="locked"):
                await store.write([event(1)])
            assert time.monotonic() - started >= 0.3
            assert items((await store.read(["ann"]))["ann"]) == ["item 0"], "readers do not wait for a writer"
        with locked(path) as other:
            asyncio.get_running_loop().call_later(0.1, other.rollback)
            return await store.write([event(1)])

    assert run(str(path), work, limits=StateLimits(wait=0.3)).new == (True,)


def test_a_full_sqlite_says_busy_and_keeps_what_it_acknowledged(tmp_path):
    async def work(store):
        await store.write([event(0)])
        store._database._connection.execute("PRAGMA max_page_count = 2")
        with pytest.raises(Busy, match="full"):
            await store.write([event(n, item="x" * 250) for n in range(1, 500)])
        store._database._connection.execute("PRAGMA max_page_count = 1000")
        return await store.write([event(1)]), await store.read(["ann"])

    written, read = run(str(tmp_path / "state.db"), work)
    assert written.accepted == 1
    assert items(read["ann"]) == ["item 0", "item 1"]


def test_a_server_of_postgresql_that_ends_connections_is_asked_again(postgres):
    import psycopg

    async def work(store):
        await store.write([event(0, "carol")])
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        return await store.write([event(1, "carol")]), await store.read(["carol"])

    written, read = run(postgres, work)
    assert written.accepted == 1
    assert items(read["carol"]) == ["item 0", "item 1"]


def test_two_writers_of_postgresql_that_take_the_same_rows_do_not_wait_in_a_circle(postgres):
    limits = StateLimits(per_unit=100_000)
    databases = [PostgresDatabase(postgres, "FULL", limits) for _ in range(2)]
    for start in range(3):
        events = [event(n, f"circle {start}") for n in range(4_000)]
        with ThreadPoolExecutor(2) as threads:
            new = list(
                threads.map(lambda each: each[0].insert(each[1]), zip(databases, (events, events[::-1]), strict=True))
            )
        assert sum(map(sum, new)) == len(events)
    for database in databases:
        database.close()


def test_a_locked_table_of_postgresql_says_busy(postgres):
    import psycopg

    async def work(store):
        with psycopg.connect(postgres) as connection:
            connection.execute("LOCK TABLE hybridrec_events_1 IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Busy, match="lock timeout"):
                await store.write([event(1, "dora")])
        return await store.write([event(1, "dora")])

    assert run(postgres, work, limits=StateLimits(wait=0.2)).new == (True,)


def test_a_postgresql_that_is_not_there_is_an_error_without_the_password():
    with pytest.raises(ConfigError, match="cannot be opened") as error:
        run("postgresql://hy:secret@127.0.0.1:1/postgres", None)
    assert "secret" not in str(error.value)


def test_a_missing_driver_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match="serve,sql"):
        run("postgresql://hy@127.0.0.1:1/postgres", None)


def test_a_flood_of_events_says_busy_at_once(tmp_path):
    async def work(store):
        with locked(tmp_path / "state.db"):
            waiting = asyncio.ensure_future(store.write([event(n) for n in range(MOST_WAITING)]))
            await asyncio.sleep(0)
            with pytest.raises(Busy, match="50,000 events wait"):
                await store.write([event(1)])
            with pytest.raises(Busy):
                await waiting

    run(str(tmp_path / "state.db"), work, limits=StateLimits(wait=0.05))


def test_synchronous_is_what_the_option_says(tmp_path):
    for option, number in (("FULL", 2), ("NORMAL", 1)):
        database = SqliteDatabase(tmp_path / "state.db", option, StateLimits())
        assert database._connection.execute("PRAGMA synchronous").fetchone() == (number,)
        assert database._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        database.close()


def test_one_index_answers_reads(tmp_path):
    database = SqliteDatabase(tmp_path / "state.db", "FULL", StateLimits())
    from hybridrec_server.state.sqlite import _SELECT

    plan = [row[3] for row in database._connection.execute(f"EXPLAIN QUERY PLAN {_SELECT}", ("[]", 0))]
    assert plan[0] == "SEARCH events USING PRIMARY KEY (unit=?)"
    assert database._connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'index'").fetchone() == (0,)
    database.close()


def test_a_database_of_something_else_is_refused(tmp_path):
    path = tmp_path / "plays.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE plays (user)")
    connection.close()
    with pytest.raises(ConfigError, match="something else"):
        run(str(path), None)
    with pytest.raises(ConfigError, match="postgresql://"):
        open_state("mysql://localhost/x")
    (tmp_path / "text.db").write_text("hello" * 100)
    with pytest.raises(ConfigError, match="cannot be opened"):
        run(str(tmp_path / "text.db"), None)


def test_a_state_that_another_process_makes_meanwhile_is_opened(tmp_path, monkeypatch):
    path, limits, connect = tmp_path / "state.db", StateLimits(), sqlite3.connect

    class Overtaken(sqlite3.Connection):
        def execute(self, statement, *values):
            if sqlite3.connect is connect:
                return super().execute(statement, *values)
            monkeypatch.setattr(sqlite3, "connect", connect)
            rows = super().execute(statement, *values).fetchall()
            SqliteDatabase(path, "FULL", limits).close()
            return SimpleNamespace(fetchone=lambda: rows[0])

    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(path, factory=Overtaken, **options))
    SqliteDatabase(path, "FULL", limits).close()


def test_a_switch_to_the_log_that_another_process_hinders_is_tried_again(tmp_path, monkeypatch):
    connect, refused = sqlite3.connect, []

    class Hindered(sqlite3.Connection):
        def execute(self, statement, *values):
            if "WAL" in statement and len(refused) < 3:
                refused.append(error := sqlite3.OperationalError("database is locked"))
                error.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise error
            return super().execute(statement, *values)

    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(path, factory=Hindered, **options))
    SqliteDatabase(tmp_path / "state.db", "FULL", StateLimits()).close()
    assert len(refused) == 3
    refused.clear()
    with pytest.raises(ConfigError, match="locked"):
        SqliteDatabase(tmp_path / "state.db", "FULL", StateLimits(wait=0.0))


def test_only_the_owner_may_read_the_state(tmp_path):
    run(str(tmp_path / "state.db"), lambda store: store.write([event(1)]))
    assert (tmp_path / "state.db").stat().st_mode & 0o077 == 0


def test_a_closed_store_says_busy(tmp_path):
    store = DatabaseStateStore(lambda: SqliteDatabase(tmp_path / "state.db", "FULL", StateLimits()))
    with pytest.raises(Busy, match="closed"):
        asyncio.run(store.write([event(1)]))


def test_two_processes_write_to_one_state(address):
    code = (
        "import sys; sys.path[:0] = ['.']\n"
        "from tests.plugins.hybridrec_server.test_state import *\n"
        "async def work(store):\n"
        "    for n in range(40):\n"
        "        shared = [event(n * 20 + k, unit) for k in range(20) for unit in ('ann', 'bob')]\n"
        "        await store.write(shared[:: int(sys.argv[2])])\n"
        "run(sys.argv[1], work, limits=StateLimits(per_unit=10_000))\n"
    )
    # One of them backwards: they would wait for each other, if they took the rows as they come.
    processes = [subprocess.Popen([sys.executable, "-c", code, address, step]) for step in ("1", "-1")]
    assert [process.wait(60) for process in processes] == [0, 0]
    read = run(address, lambda store: store.read(["ann", "bob"]))
    assert {unit: len(events) for unit, events in read.items()} == {"ann": 800, "bob": 800}
