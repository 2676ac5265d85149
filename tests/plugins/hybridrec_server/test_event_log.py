"""The event log: an acknowledged event is in state and journal, a forgotten person in neither."""

import asyncio
import json
import time

import pytest

from hybridrec import ConfigError
from hybridrec_server import event_log
from hybridrec_server.event_log import EventLog, Forgotten, request_to_forget
from hybridrec_server.journal.base import JournalOptions, ServedRecord
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.tables import read_table
from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.state.base import Busy, Event
from hybridrec_server.state.store import open_state


def event(number, unit="ann", **changes):
    now = time.time()
    fields = {"id": f"e{number}", "unit": unit, "item": f"item {number}", "kind": "play", "time": now, "received": now}
    return Event(**{**fields, **changes})


def run(folder, work, *, journal=True, **options):
    """Run `work(log)` on an open event log in a folder."""

    async def main():
        written = FileJournal(folder / "log", JournalOptions(**options)) if journal else None
        log = EventLog(open_state(str(folder / "state.db")), written)
        await log.start()
        try:
            return await work(log)
        finally:
            await log.stop()

    return asyncio.run(main())


def logged(folder):
    return read_table(LogFolder(folder / "log"), "events").select("unit", "event_id").rows()


def answer(request, unit):
    places = [{"place": 1, "id": "a"}]
    content = {"request": request, "pipeline": "p", "bundle": "b", "target": "items", "served_by": "als"}
    return ServedRecord(json.dumps({**content, "items": places}).encode(), unit, 1.0, 1.0)


def test_an_acknowledged_event_is_in_state_and_journal(tmp_path):
    async def work(log):
        written = await log.write([event(1), event(2)])
        return written, await log.read(["ann"]), logged(tmp_path)

    written, read, rows = run(tmp_path, work)
    assert written.accepted == 2
    assert [each.id for each in read["ann"]] == ["e1", "e2"]
    assert rows == [("ann", "e1"), ("ann", "e2")]


def test_without_a_journal_there_is_the_state(tmp_path):
    async def work(log):
        log.append_answers([answer("r", "ann")])
        return await log.write([event(1)]), await log.forget("ann")

    written, forgotten = run(tmp_path, work, journal=False)
    assert (written.accepted, forgotten) == (1, Forgotten(1))


def test_a_kill_between_state_and_journal_is_repaired_by_the_next_attempt(tmp_path):
    sent = event(1)
    run(tmp_path, lambda log: log.state.write([sent]))

    async def again(log):
        return [await log.write([sent]), await log.write([sent])]

    assert [written.repeated for written in run(tmp_path, again)] == [1, 1]
    assert logged(tmp_path) == [("ann", "e1")]


def test_a_client_that_goes_away_leaves_its_events_in_both(tmp_path):
    async def work(log):
        task = asyncio.create_task(log.write([event(1)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(tmp_path, work)
    assert logged(tmp_path) == [("ann", "e1")]
    assert len(run(tmp_path, lambda log: log.read(["ann"]))["ann"]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": ""}, "`item` is ''"),
        ({"unit": "a\0b"}, "null character"),
        ({"kind": b"\xff".decode(errors="surrogateescape")}, "surrogate"),
        ({"value": float("nan")}, "`value` is nan"),
        ({"time": float("inf")}, "`time` is inf"),
        ({"id": "é" * 1001}, "2,005 bytes"),
    ],
)
def test_an_event_that_cannot_be_stored_is_refused_with_what_would_be_right(tmp_path, changes, message):
    async def work(log):
        with pytest.raises(ValueError, match=message):
            await log.write([event(0), event(1, **changes)])

    run(tmp_path, work)
    assert logged(tmp_path) == []


@pytest.mark.parametrize("on_full", ["count", "refuse"])
def test_a_full_log_is_counted_or_refuses(tmp_path, monkeypatch, on_full):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    async def work(log):
        assert log.journal is not None
        monkeypatch.setattr(log.journal, "_write", full)
        if on_full == "count":
            assert (await log.write([event(1)])).accepted == 1
            assert (await log.write([event(2)])).accepted == 1
        else:
            for number in (1, 2):
                with pytest.raises(Busy, match="disk is full"):
                    await log.write([event(number)])
        monkeypatch.undo()
        return log.journal.counts.lost, await log.read(["ann"])

    lost, read = run(tmp_path, work, on_full=on_full)
    assert lost == (2 if on_full == "count" else 1)
    assert len(read["ann"]) == (2 if on_full == "count" else 1)


def test_a_forgotten_person_is_gone_from_state_and_log(tmp_path):
    async def work(log):
        log.append_answers([answer("r1", "mallory"), answer("r2", "ann")])
        await log.write([event(1)])
        late = asyncio.create_task(log.write([event(n, "mallory") for n in range(3)]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        forgotten = await log.forget("mallory")
        await late
        return forgotten, await log.read(["mallory", "ann"])

    forgotten, read = run(tmp_path, work)
    assert forgotten == Forgotten(3, 1, 3)
    assert list(read) == ["ann"]
    assert logged(tmp_path) == [("ann", "e1")]
    assert read_table(LogFolder(tmp_path / "log"), "exposures")["unit"].to_list() == ["ann"]


def test_persons_who_are_forgotten_at_once_do_not_wait_for_each_other(tmp_path):
    async def work(log):
        await log.write([event(n, f"person {n}") for n in range(4)])
        async with asyncio.timeout(60):
            return await asyncio.gather(*(log.forget(f"person {n}") for n in range(3)))

    assert run(tmp_path, work) == [Forgotten(1, 0, 1)] * 3
    assert logged(tmp_path) == [("person 3", "e3")]


def test_a_running_server_carries_out_requests_to_forget(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log, "POLL", 0.05)

    async def work(log):
        await log.write([event(1, "mallory"), event(2)])
        answered = request_to_forget(log.journal.folder, "mallory")
        assert answered.with_suffix(".json").stat().st_mode & 0o077 == 0
        for _ in range(200):
            if answered.exists():
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        return json.loads(answered.read_text()), list(log.journal.folder.requests.glob("*.json"))

    done, left = run(tmp_path, work)
    assert done == {"state": 1, "exposures": 0, "events": 1}
    assert left == []
    assert logged(tmp_path) == [("ann", "e2")]


def test_a_request_to_forget_that_a_kill_interrupted_is_carried_out_at_the_next_start(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log, "POLL", 0.05)
    run(tmp_path, lambda log: log.write([event(1, "mallory"), event(2)]))
    answered = request_to_forget(LogFolder(tmp_path / "log"), "mallory")

    async def work(log):
        for _ in range(200):
            if answered.exists():
                break
            await asyncio.sleep(0.05)

    run(tmp_path, work)
    assert logged(tmp_path) == [("ann", "e2")]


def test_a_log_that_cannot_be_opened_leaves_no_open_state(tmp_path):
    (tmp_path / "log").write_text("a file")

    async def work():
        log = EventLog(open_state(str(tmp_path / "state.db")), FileJournal(tmp_path / "log"))
        with pytest.raises(ConfigError):
            await log.start()
        with pytest.raises(Busy):
            await log.state.write([event(1)])

    asyncio.run(work())
