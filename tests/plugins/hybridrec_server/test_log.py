"""Log lines: structured, written beside the event loop, never in its way."""

from __future__ import annotations

import io
import json
import logging
import threading
import time

from hybridrec_server import log as module
from hybridrec_server.log import Log, LogHandler


def test_lines_are_json_objects_in_order():
    stream = io.StringIO()
    log = Log("json", stream)
    log.info("request", status=200, key=None)
    log.warning("reload", failed=["a b"])
    log.close()
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first.pop("time").endswith("+00:00")
    assert first == {"level": "info", "event": "request", "status": 200}
    assert (second["level"], second["failed"]) == ("warning", ["a b"])


def test_lines_are_text_for_people_and_never_break():
    stream = io.StringIO()
    log = Log("text", stream)
    log.info("request", path="a b\nc", status=200)
    log.close()
    (line,) = stream.getvalue().splitlines()
    assert line.endswith('info    request path="a b\\nc" status=200')


def test_no_lines_are_written_if_nobody_wants_them():
    stream = io.StringIO()
    log = Log("off", stream)
    log.error("mistake")
    log.close()
    assert stream.getvalue() == ""


def test_a_stream_that_nobody_reads_stops_nobody_and_its_loss_is_counted(monkeypatch):
    monkeypatch.setattr(module, "_LONGEST", 5)
    opened = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text):
            opened.wait(10)
            return super().write(text)

    stream = Stuck()
    log = Log("json", stream)
    log.info("first")
    time.sleep(0.2)
    started = time.perf_counter()
    for _ in range(100):
        log.info("request")
    assert time.perf_counter() - started < 1
    opened.set()
    log.close()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["first", *["request"] * 5, "log_lines_lost"]
    assert lines[-1]["lines"] == 95


def test_a_full_disk_is_survived():
    class Full(io.StringIO):
        fails = True

        def write(self, text):
            if self.fails:
                raise OSError(28, "No space left on device")
            return super().write(text)

    stream = Full()
    log = Log("json", stream)
    log.info("lost")
    time.sleep(0.2)
    stream.fails = False
    log.info("kept")
    log.close()
    events = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert sorted(events) == ["kept", "log_lines_lost"]


def test_records_of_libraries_become_lines():
    stream = io.StringIO()
    log = Log("json", stream)
    logger = logging.Logger("uvicorn.error")
    logger.addHandler(LogHandler(log))
    logger.info("passed over")
    logger.warning("Invalid %s", "request")
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("failed")
    log.close()
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["message"]) == ("uvicorn.error", "Invalid request")
    assert second["traceback"].endswith("ValueError: no")
