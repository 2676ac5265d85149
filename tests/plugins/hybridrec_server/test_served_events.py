"""Events through a real server: they change the next answer, outlive a kill, can be learned from, and forgotten."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from hybridrec_server.client import Client
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.reader import EventsOptions, EventsReader
from hybridrec_server.journal.tables import read_table
from tests.plugins.hybridrec_server.conftest import MOODY


@contextmanager
def serving(bundle, folder):
    """Serve a bundle; yield a client and the process, which is killed at the end if it runs."""
    program = [sys.executable, "-m", "hybridrec", "serve", str(bundle), "--port", "0", "--folder", str(folder)]
    process = subprocess.Popen(
        [*program, "--log", "off", "--plugin", str(MOODY), "--deadline", "20"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    try:
        line = process.stdout.readline()
        assert " at http://" in line, process.communicate()[1]
        with Client(line.rpartition(" at ")[2].strip()) as client:
            yield client, process
    finally:
        process.kill()
        process.communicate()


def ids(answer):
    return [place.id for place in answer.items]


@pytest.mark.slow
def test_what_a_visitor_does_is_known_after_a_kill_and_forgotten_on_request(bundles, tmp_path, call):
    bundle, folder = bundles["first"], tmp_path / "serve"
    visitor = {"user": "mallory", "n": 4, "pipeline": "calm", "id": "first"}
    with serving(bundle, folder) as (client, process):
        before = client.recommend(visitor)
        click = {"id": "click", "user": "mallory", "item": before.items[1].id, "kind": "play", "request": "first"}
        assert client.events([click]).accepted == 1
        after = client.recommend({**visitor, "id": "second"})
        assert ids(after) != ids(before)
        assert click["item"] not in ids(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving(bundle, folder) as (client, process):
        assert ids(client.recommend({**visitor, "id": "third"})) == ids(after)
        assert client.events([click]).repeated == 1, "a client that lost the receipt sends it again"
        log = LogFolder(folder / "log")
        assert read_table(log, "events").select("unit", "event_id", "request").rows() == [("mallory", "click", "first")]
        data = EventsReader(EventsOptions(log=folder / "log")).read()
        assert data.items.vocabulary.ids.to_list() == [click["item"]]
        client.events([{"user": "ann", "item": "i01", "kind": "play"}])
        status, out, err = call("events", "forget", "mallory", "--folder", str(folder))
        assert (status, err) == (0, "")
        assert out.startswith("forgotten: 1 events in the state; 1 events and ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert read_table(log, "events")["unit"].to_list() == ["ann"]
    assert "mallory" not in read_table(log, "exposures")["unit"].to_list()
    for path in folder.rglob("*"):
        assert path.is_dir() or b"mallory" not in path.read_bytes(), path
    with serving(bundle, folder) as (client, process):
        assert ids(client.recommend({**visitor, "id": "fourth"})) == ids(before)
