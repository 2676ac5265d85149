"""The journal: records with checksums, torn tails, rotation into Parquet that survives kills, disks that are full."""

import asyncio
import errno
import json
import os
import subprocess
import sys
import threading
import time

import polars as pl
import pytest

from hybridrec import ConfigError, DataError
from hybridrec_server.journal import rotation, writer
from hybridrec_server.journal.base import JournalFull, JournalOptions, ServedRecord
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.frames import MARK, SCHEMA, Damage, frame, scan
from hybridrec_server.journal.rotation import rotate
from hybridrec_server.journal.tables import read_table
from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.state.base import Event

DAY = 86_400


def event(number, unit="ann", **changes):
    fields = {"id": f"e{number}", "unit": unit, "item": "é", "kind": "play", "time": 5.0, "received": number}
    return Event(**{**fields, **changes})


def served(request, ids, unit="ann", propensities=None, policy=None, **changes):
    places = [{"place": n + 1, "id": each, "title": each.title(), "score": None} for n, each in enumerate(ids)]
    for place, propensity in zip(places, propensities or [], strict=False):
        place["propensity"] = propensity
    answer = {
        "request": request,
        "pipeline": "blend",
        "bundle": "b1",
        "target": "items",
        "served_by": "als",
        "degraded": False,
        "items": places,
        "next": None,
        "warnings": [],
    }
    if policy is not None:
        answer["policy"] = policy
    return ServedRecord(json.dumps(answer).encode(), unit, 7.0, 8.0, **changes)


def run(folder, work, **options):
    """Run `work(journal)` on an open journal."""

    async def main():
        journal = FileJournal(folder, JournalOptions(**options))
        await journal.start()
        try:
            return await work(journal)
        finally:
            await journal.stop()

    return asyncio.run(main())


def append(folder, *records, **options):
    async def work(journal):
        journal.append_answers([record for record in records if isinstance(record, ServedRecord)])
        await journal.append_events([record for record in records if isinstance(record, Event)])

    run(folder, work, **options)


def ids(folder):
    return read_table(LogFolder(folder), "events")["event_id"].to_list()


def files(folder, pattern):
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern))


def test_rows_of_both_tables_come_back_before_and_after_rotation(tmp_path):
    drawn = served(
        "r2", ["x"], None, [0.25], policy="pl", marginals=[0.5], assignments={"e": "b"}, segments={"s": "new"}
    )
    append(
        tmp_path / "log", served("r1", ["a", "b"]), drawn, event(1, request="r1", value=2.5), event(2), served("r3", [])
    )
    folder = LogFolder(tmp_path / "log")
    before = {kind: read_table(folder, kind) for kind in ("exposures", "events")}
    assert before["exposures"].rows(named=True)[::2] == [
        {
            "request": "r1", "place": 1, "target": "items", "item": "a", "unit": "ann", "assignments": "{}",
            "bundle": "b1", "pipeline": "blend", "served_by": "als", "degraded": False, "policy": None,
            "propensity": None, "marginal": None, "segments": "{}", "time": 7.0, "received": 8.0,
        },
        {
            "request": "r2", "place": 1, "target": "items", "item": "x", "unit": None, "assignments": '{"e": "b"}',
            "bundle": "b1", "pipeline": "blend", "served_by": "als", "degraded": False, "policy": "pl",
            "propensity": 0.25, "marginal": 0.5, "segments": '{"s": "new"}', "time": 7.0, "received": 8.0,
        },
    ]  # fmt: skip
    assert before["exposures"]["item"].to_list() == ["a", "b", "x"]
    assert before["events"].rows() == [
        ("e1", "r1", "ann", "é", "play", 2.5, 5.0, 1.0),
        ("e2", None, "ann", "é", "play", None, 5.0, 2.0),
    ]
    assert rotate(folder, 99).files == 1
    assert files(folder.path, "journal/*") == []
    for kind, rows in before.items():
        assert read_table(folder, kind).equals(rows)
    assert rotate(folder, 99).files == 0


def test_a_repeated_record_is_a_row_once(tmp_path):
    append(tmp_path / "log", served("r1", ["a", "b"]), served("r1", ["a", "b"]), event(1), event(1), event(1, "bob"))
    rotate(LogFolder(tmp_path / "log"), 99)
    append(tmp_path / "log", served("r1", ["a", "b"]), event(1))
    assert ids(tmp_path / "log") == ["e1", "e1"]
    assert read_table(LogFolder(tmp_path / "log"), "exposures")["place"].to_list() == [1, 2]


def test_pages_under_the_name_of_one_request_are_all_kept(tmp_path):
    append(tmp_path / "log", served("r1", ["a", "b"]), served("r1", ["c", "d"])._replace(received=9.0))
    rotate(LogFolder(tmp_path / "log"), 99)
    assert read_table(LogFolder(tmp_path / "log"), "exposures")["item"].to_list() == ["a", "b", "c", "d"]


def test_a_torn_tail_is_cut_and_counted_wherever_it_is_torn(tmp_path):
    whole, torn = frame(event(1)), frame(event(2))
    for kept in range(1, len(torn)):
        folder = LogFolder(tmp_path / f"log{kept}")
        folder.make()
        folder.segment(1).write_bytes(whole + torn[:kept])

        async def work(journal):
            assert journal.counts.torn == kept  # noqa: B023 - it runs in this turn of the loop
            assert journal.folder.segment(1).stat().st_size == len(whole)
            await journal.append_events([event(3)])

        if kept % 40 == 1:
            run(folder.path, work)
            assert ids(folder.path) == ["e1", "e3"]
        else:
            damage = Damage()
            assert [record.fields["id"] for record in scan(folder.segment(1), damage)] == ["e1"]
            assert damage == Damage(torn=kept, valid=len(whole))


def test_damage_in_the_middle_costs_the_records_that_it_hits(tmp_path):
    records = [frame(event(n)) for n in range(5)]
    content = bytearray(b"".join(records))
    content[len(records[0]) + 30] ^= 1
    content[sum(map(len, records[:3])) + 9] ^= 1  # a length
    path = tmp_path / "j"
    path.write_bytes(content)
    damage = Damage()
    assert [record.fields["id"] for record in scan(path, damage)] == ["e0", "e2", "e4"]
    assert damage == Damage(damaged=len(records[1]) + len(records[3]), valid=len(content))


def test_records_of_a_later_version_are_refused_by_name(tmp_path):
    folder = LogFolder(tmp_path / "log")
    folder.make()
    import struct
    import zlib

    head = struct.pack("<BBI", SCHEMA + 1, 2, 2)
    later = MARK + struct.pack("<BBHII", SCHEMA + 1, 2, 0, 2, zlib.crc32(b"{}", zlib.crc32(head))) + b"{}"
    folder.segment(1).write_bytes(later)
    with pytest.raises(ConfigError, match="later version"):
        run(folder.path, None)
    with pytest.raises(DataError, match="later version"):
        read_table(folder, "events")


def test_full_files_rotate_beside_the_appending(tmp_path):
    async def work(journal):
        for n in range(60):
            await journal.append_events([event(n)])
            await asyncio.sleep(0.02 if journal.counts.rotated < 2 else 0)
        async with asyncio.timeout(60):  # a rotation is a process of its own
            while journal.counts.rotated < 2:
                await asyncio.sleep(0.05)
                await journal.append_events([event(100)])
        return journal.counts

    counts = run(tmp_path / "log", work, segment_bytes=1000, synchronous="NORMAL")
    assert counts.rotated >= 2
    assert counts.lost == 0
    assert len(files(tmp_path / "log", "events/part-*.parquet")) >= 2
    assert sorted(set(ids(tmp_path / "log")) - {"e100"}) == sorted(f"e{n}" for n in range(60))


def test_files_of_a_process_before_rotate_at_the_start(tmp_path):
    append(tmp_path / "log", event(1))

    async def work(journal):
        async with asyncio.timeout(60):
            while not journal.counts.rotated:
                await asyncio.sleep(0.05)
        return journal.counts.rotated

    assert run(tmp_path / "log", work) == 1
    assert ids(tmp_path / "log") == ["e1"]


@pytest.mark.parametrize("step", ["before the second table", "before the journal's file goes"])
def test_a_rotation_that_was_killed_is_repeated_without_repeats(tmp_path, monkeypatch, step):
    append(tmp_path / "log", served("r1", ["a", "b"]), event(1), event(2))
    folder = LogFolder(tmp_path / "log")
    write, written = rotation._write, []

    def killed(rows, path):
        if step == "before the second table" and written:
            raise KeyboardInterrupt
        write(rows, path)
        written.append(path)

    def kept(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_write", killed)
        patch.setattr("pathlib.Path.unlink", kept)
        with pytest.raises(KeyboardInterrupt):
            rotate(folder, 99)
    partial = folder.path / "events" / ".part-0000000001.parquet.killed"
    partial.write_bytes(b"half")
    assert len(read_table(folder, "exposures")) == 2
    assert ids(folder.path) == ["e1", "e2"]
    assert rotate(folder, 99).files == 1
    assert len(read_table(folder, "exposures")) == 2
    assert ids(folder.path) == ["e1", "e2"]
    assert len(files(folder.path, "*/part-*")) == 2
    assert not partial.exists()


@pytest.mark.parametrize("step", ["scan", "truncate"])
def test_a_start_beside_the_rotation_of_a_killed_server_goes_on(tmp_path, monkeypatch, step):
    """The rotation is a process of its own, which outlives the server, and deletes files that the start looks at."""
    for number in range(4):
        append(tmp_path, event(number))
    folder = LogFolder(tmp_path)
    numbers = [number for number, _ in folder.segments()]
    with folder.segment(numbers[0]).open("ab") as file:
        file.write(MARK)
    place = writer if step == "scan" else os
    done = getattr(place, step)

    def after_rotation(path, *more):
        rotate(folder, numbers[-1])
        return done(path, *more)

    monkeypatch.setattr(place, step, after_rotation)
    append(tmp_path, event(4))
    assert sorted(ids(tmp_path)) == [f"e{number}" for number in range(5)]
    assert max(number for number, _ in folder.segments()) > numbers[-1]


def test_a_late_rotation_of_a_killed_server_leaves_the_file_of_the_next(tmp_path):
    """It waited for the lock, which a rotation by hand had, after which the next server began."""
    folder = LogFolder(tmp_path)
    for records in ([event(1)], [], []):
        append(tmp_path, *records)
    below = folder.segments()[-1][0]
    assert rotate(folder, 1 << 62).files > 0

    async def work(journal):
        await journal.append_events([event(2)])
        rotate(folder, below, server=os.getpid())  # it has become the child of another process
        await journal.append_events([event(3)])

    run(tmp_path, work)
    assert ids(tmp_path) == ["e1", "e2", "e3"]
    assert rotate(folder, 1 << 62, server=os.getppid()).files == 1
    assert ids(tmp_path) == ["e1", "e2", "e3"]


def test_old_files_go_once_their_newest_row_is_old(tmp_path):
    now = time.time()
    append(tmp_path / "log", event(1, received=now - 9 * DAY), event(2, received=now - 3 * DAY))
    append(tmp_path / "log", event(3, received=now - 9 * DAY), event(4, received=now - 8 * DAY))
    assert rotate(LogFolder(tmp_path / "log"), 99, days=7).expired == 1
    assert ids(tmp_path / "log") == ["e1", "e2"]


def test_a_forgotten_person_is_gone_from_all_files(tmp_path):
    append(
        tmp_path / "log",
        served("r1", ["a", "b"], "mallory-x"),
        event(1, "mallory-x"),
        event(2),
        served("r0", ["a"], None),
    )

    async def work(journal):
        journal.append_answers([served("r2", ["c"], "mallory-x"), served("r3", ["d"])])
        await journal.append_events([event(5, "mallory-x")])
        return await journal.rotate(forget="mallory-x")

    done = run(tmp_path / "log", work)
    assert (done["exposures"], done["events"]) == (3, 2)
    assert read_table(LogFolder(tmp_path / "log"), "exposures")["request"].to_list() == ["r0", "r3"]
    assert ids(tmp_path / "log") == ["e2"]
    for path in (tmp_path / "log").rglob("*"):
        assert path.is_dir() or b"mallory-x" not in path.read_bytes(), path
    # Parquet is compressed: what it says counts.
    assert all("mallory-x" not in pl.read_parquet(path)["unit"] for path in (tmp_path / "log").rglob("*.parquet"))


def test_what_waits_while_the_disk_is_slow_is_forgotten_too(tmp_path, monkeypatch):
    sync, is_syncing, may_go_on = os.fdatasync, threading.Event(), threading.Event()

    def slow(descriptor):
        is_syncing.set()
        assert may_go_on.wait(30)
        sync(descriptor)

    monkeypatch.setattr(writer.os, "fdatasync", slow)

    async def work(journal):
        first = journal.append_events([event(1)])
        await asyncio.to_thread(is_syncing.wait, 30)
        second = journal.append_events([event(2, "mallory"), event(3)])
        forgotten = asyncio.create_task(journal.rotate(forget="mallory"))
        await asyncio.sleep(0)
        may_go_on.set()
        assert await first
        assert await second
        return await forgotten

    assert run(tmp_path / "log", work)["events"] == 1
    assert ids(tmp_path / "log") == ["e1", "e3"]


def test_a_second_server_is_refused(tmp_path):
    async def work(journal):
        with pytest.raises(ConfigError, match="another server appends to this log"):
            await FileJournal(tmp_path / "log").start()
        work = "asyncio.run(FileJournal(Path({!r})).start())"
        code = f"import asyncio; from hybridrec_server.journal.writer import *; {work}"
        command = [sys.executable, "-c", code.format(str(tmp_path / "log"))]
        done = subprocess.run(command, capture_output=True, text=True)
        assert "another server appends" in done.stderr

    run(tmp_path / "log", work)
    append(tmp_path / "log", event(1))  # the lock went with the first


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(ConfigError, match="not the folder of a log"):
        run(tmp_path, None)
    with pytest.raises(ConfigError, match=r"has no log\.json"):
        LogFolder(tmp_path).check()
    (tmp_path / "log.json").write_text('{"format": "hybridrec log", "version": 9}')
    with pytest.raises(ConfigError, match="version 9"):
        run(tmp_path, None)


def test_only_the_owner_may_read_the_log(tmp_path):
    append(tmp_path / "log", event(1))
    assert (tmp_path / "log").stat().st_mode & 0o077 == 0
    assert LogFolder(tmp_path / "log").segments()[0][1].stat().st_mode & 0o077 == 0


@pytest.fixture
def disk(monkeypatch):
    """A disk that takes `room` more bytes of the journal, and then is full."""
    state = {"room": None}
    write = os.write

    def limited(descriptor, content):
        if state["room"] is None:
            return write(descriptor, content)
        if not state["room"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        number = write(descriptor, content[: state["room"]])
        state["room"] -= number
        return number

    monkeypatch.setattr(writer.os, "write", limited)
    return state


@pytest.mark.parametrize("on_full", ["count", "refuse"])
def test_a_full_disk_loses_whole_records_and_says_so(tmp_path, disk, caplog, on_full):
    async def work(journal):
        assert await journal.append_events([event(1)])
        disk["room"] = 40  # half a record
        assert not await journal.append_events([event(2)])
        assert journal.is_full
        if on_full == "refuse":
            with pytest.raises(JournalFull):
                journal.append_answers([served("r1", ["a"])])
        else:
            journal.append_answers([served("r1", ["a"])])
            await asyncio.sleep(3 * writer.POLL)
        lost = journal.counts.lost
        disk["room"] = None
        assert await journal.append_events([event(3)])
        assert not journal.is_full
        return lost, journal.counts

    lost, counts = run(tmp_path / "log", work, on_full=on_full)
    assert (lost, counts.lost, counts.written) == ((1, 1, 2) if on_full == "refuse" else (2, 2, 2))
    damage = Damage()
    assert len(list(scan(LogFolder(tmp_path / "log").segments()[0][1], damage))) == 2
    assert (damage.torn, damage.damaged) == (0, 0)
    assert ids(tmp_path / "log") == ["e1", "e3"]
    assert "cannot be written" in caplog.text


def test_a_journal_that_refuses_takes_records_again_once_there_is_room(tmp_path, disk):
    async def work(journal):
        disk["room"] = 10
        assert not await journal.append_events([event(1)])
        await asyncio.sleep(3 * writer.POLL)
        assert journal.refuses
        disk["room"] = None
        for _ in range(100):
            if not journal.refuses:
                break
            await asyncio.sleep(writer.POLL)
        journal.append_answers([served("r1", ["a"])])
        assert await journal.append_events([event(2)])

    run(tmp_path / "log", work, on_full="refuse")
    assert ids(tmp_path / "log") == ["e2"]
    assert len(read_table(LogFolder(tmp_path / "log"), "exposures")) == 1
    damage = Damage()
    assert len(list(scan(LogFolder(tmp_path / "log").segments()[0][1], damage))) == 2
    assert (damage.torn, damage.damaged) == (0, 0)


def test_a_queue_that_is_full_loses_and_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "MOST_WAITING", 3)

    async def work(journal):
        for n in range(5):
            journal.append_answers([served(f"r{n}", ["a"])])
        assert not await journal.append_events([event(1)])
        return journal.counts.lost

    assert run(tmp_path / "log", work) == 3
    assert read_table(LogFolder(tmp_path / "log"), "exposures")["request"].to_list() == ["r0", "r1", "r2"]


def test_a_closed_journal_loses_and_counts(tmp_path):
    async def work():
        journal = FileJournal(tmp_path / "log")
        journal.append_answers([served("r", ["a"])])
        return await journal.append_events([event(1)]), journal.counts.lost

    assert asyncio.run(work()) == (False, 2)


def test_a_rotation_that_fails_is_counted_and_the_journal_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(writer.sys, "executable", "/nonexistent/python")

    async def work(journal):
        await journal.append_events([event(1)])
        with pytest.raises(OSError, match="nonexistent"):
            await journal.rotate()
        monkeypatch.setattr(writer.sys, "executable", "/bin/false")
        with pytest.raises(OSError, match="status 1"):
            await journal.rotate()
        await journal.append_events([event(2)])
        return journal.counts.failed_rotations

    assert run(tmp_path / "log", work) == 2
    assert ids(tmp_path / "log") == ["e1", "e2"]
    assert "could not be rotated" in caplog.text


def test_appending_does_not_wait_for_a_slow_disk(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(writer.os, "write", lambda *arguments: (time.sleep(0.3), write(*arguments))[1])

    async def work(journal):
        done = journal.append_events([event(1)])
        longest = 0.0
        for n in range(100):
            started = time.perf_counter()
            journal.append_answers([served(f"r{n}", ["a"])])
            longest = max(longest, time.perf_counter() - started)
            await asyncio.sleep(0.002)
        assert await done
        return longest

    assert run(tmp_path / "log", work) < 0.25


def test_with_full_an_event_is_on_the_disk_before_it_is_acknowledged(tmp_path, monkeypatch):
    synced = []
    sync = os.fdatasync
    monkeypatch.setattr(writer.os, "fdatasync", lambda descriptor: synced.append(sync(descriptor)))
    append(tmp_path / "a", event(1))
    assert len(synced) == 1
    append(tmp_path / "b", event(1), synchronous="NORMAL")
    assert len(synced) == 1


def test_a_damaged_parquet_file_ends_a_rotation_with_its_name(tmp_path):
    folder = LogFolder(tmp_path / "log")
    folder.make()
    folder.segment(1).write_bytes(frame(event(1)))
    rotate(folder, 2)
    path = folder.part_file("events", 1)
    path.write_bytes(path.read_bytes()[:-20])
    for options in ({"days": 1.0}, {"forget": "ann"}):
        with pytest.raises(DataError, match=f"{path} cannot be read: "):
            rotate(folder, 2, **options)
