"""`hybridrec events`: shows, rotates, and forgets a person, beside a running server or without one."""

import asyncio
import threading
import time

import pytest

from hybridrec.testing import CommandContract
from hybridrec_server import event_log
from hybridrec_server.event_log import EventLog
from hybridrec_server.events_command import events
from hybridrec_server.journal import tables
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.tables import read_table
from hybridrec_server.journal.writer import FileJournal
from hybridrec_server.state.store import open_state
from tests.plugins.hybridrec_server.test_event_log import answer, event


class TestEvents(CommandContract):
    command = events


async def written(folder, then=None):
    """Write a few rows as a server in `folder`, and await `then(log)`."""
    log = EventLog(open_state(str(folder / "state.db")), FileJournal(folder / "log"))
    await log.start()
    log.append_answers([answer("r1", "ann"), answer("r2", "mallory")])
    await log.write([event(1), event(2, "mallory"), event(3, "mallory", kind="like")])
    if then is not None:
        await then(log)
    await log.stop()


def test_show_counts_both_tables(tmp_path, call):
    asyncio.run(written(tmp_path))
    status, out, _ = call("events", "show", "--folder", str(tmp_path))
    assert status == 0
    for row in (["play", "2", "2"], ["like", "1", "1"], ["p", "2", "2", "2"]):
        assert any(line.split()[: len(row)] == row for line in out.splitlines()), (row, out)
    assert "5 records" in out
    assert call("events", "rotate", "--folder", str(tmp_path))[1].startswith("1 files")
    out = call("events", "show", "--folder", str(tmp_path / "log"))[1]
    assert "exposures/part-0000000001.parquet" in out
    assert "records" not in out


def test_show_counts_a_log_in_parts_and_nobody_as_no_person(tmp_path, call, monkeypatch):
    async def more(log):
        log.append_answers([answer("r3", None), answer("r4", "ann")])

    asyncio.run(written(tmp_path, more))
    at_once = call("events", "show", "--folder", str(tmp_path))[1]
    assert any(line.split()[:4] == ["p", "4", "4", "2"] for line in at_once.splitlines()), at_once
    monkeypatch.setattr(tables, "PART", 1)
    assert call("events", "show", "--folder", str(tmp_path))[1] == at_once


def test_a_person_is_forgotten_without_a_server(tmp_path, call):
    asyncio.run(written(tmp_path))
    status, out, _ = call("events", "forget", "mallory", "--folder", str(tmp_path))
    assert status == 0
    assert out == "forgotten: 2 events in the state; 2 events and 1 exposures in the log\n"
    assert read_table(LogFolder(tmp_path / "log"), "events")["unit"].to_list() == ["ann"]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"mallory" not in path.read_bytes(), path
    assert "forgotten: 0 events" in call("events", "forget", "mallory", "--folder", str(tmp_path))[1]


def test_a_running_server_forgets_for_the_command(tmp_path, call, monkeypatch):
    monkeypatch.setattr(event_log, "POLL", 0.05)
    outcome = []

    async def until_forgotten(log):
        command = ("events", "forget", "mallory", "--folder", str(tmp_path))
        thread = threading.Thread(target=lambda: outcome.append(call(*command)))
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.05)
        assert await log.read(["mallory"]) == {}
        rotated = call("events", "rotate", "--folder", str(tmp_path))
        assert rotated[1].startswith("0 files"), "the file that the server writes stays"

    asyncio.run(written(tmp_path, until_forgotten))
    assert outcome[0][1] == "forgotten: 2 events in the state; 2 events and 1 exposures in the log\n"
    assert list((tmp_path / "log" / "requests").iterdir()) == []
    assert read_table(LogFolder(tmp_path / "log"), "events")["unit"].to_list() == ["ann"]


def test_a_server_that_does_not_answer_gets_the_request_later(tmp_path, call):
    async def wait(log):
        log._watch.cancel()
        started = time.monotonic()
        command = ("events", "forget", "mallory", "--folder", str(tmp_path), "--wait", "0.3")
        status, _, err = await asyncio.to_thread(call, *command)
        assert status == 2
        assert "has not answered in 0.3 s; it will carry the request out later" in err
        assert time.monotonic() - started < 5
        log._watch = None

    asyncio.run(written(tmp_path, wait))
    assert len(list((tmp_path / "log" / "requests").glob("*.json"))) == 1


def test_a_person_is_forgotten_where_a_server_keeps_no_log(tmp_path, call):
    """Beside the server and after it: it looks for no requests, so the command deletes from the state itself."""
    outcomes = []

    async def serve():
        log = EventLog(open_state(str(tmp_path / "state.db")))
        await log.start()
        await log.write([event(1), event(2, "mallory"), event(3, "mallory"), event(4, "bob")])
        outcomes.append(await asyncio.to_thread(call, "events", "forget", "mallory", "--folder", str(tmp_path)))
        assert await log.read(["mallory"]) == {}
        assert (await log.write([event(5)])).accepted == 1
        await log.stop()

    asyncio.run(serve())
    outcomes.append(call("events", "forget", "bob", "--folder", str(tmp_path)))
    assert [(status, out) for status, out, _ in outcomes] == [
        (0, f"forgotten: {number} events in the state; 0 events and 0 exposures in the log\n") for number in (2, 1)
    ]
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("state", ["sqlite", "elsewhere.db"])
def test_nobody_is_said_to_be_forgotten_where_nothing_is(tmp_path, call, monkeypatch, state):
    monkeypatch.chdir(tmp_path)
    status, _, err = call("events", "forget", "ann", "--state", state)
    assert status == 2
    assert "is missing: give --folder and --state" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["show"], ["rotate"]])
def test_a_folder_without_a_log_is_a_message(tmp_path, call, command):
    status, _, err = call("events", *command, "--folder", str(tmp_path))
    assert status == 2
    assert "is not the folder of a log" in err
