"""A server of fake parts as a process: `python serve_fake.py PORT DELAY`; prints its address, then its last words."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from hybridrec_server.log import Log
from hybridrec_server.protocols import NullMetrics
from hybridrec_server.server import Parts, Server
from hybridrec_server.settings import ServerSettings
from tests.plugins.hybridrec_server.fakes import FakeDispatcher, FakeEvents


def main(bundle: str, port: str, delay: str, drain: str) -> None:
    settings = ServerSettings(bundle=Path(bundle), port=int(port), drain=float(drain))
    dispatcher, events = FakeDispatcher(delay=float(delay)), FakeEvents()
    log = Log("json")
    server = Server(settings, Parts(dispatcher, NullMetrics(), events), log, os.environ)
    server.run(lambda address: print(address, flush=True))
    log.close()
    print(*events.steps, *dispatcher.steps, flush=True)


main(*sys.argv[1:])
