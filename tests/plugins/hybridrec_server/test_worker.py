"""The worker's check of a bundle, and its end with the front."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec import DataError
from hybridrec_server.worker import check
from tests.plugins.hybridrec_server.conftest import MOODY

FRONT = """
import asyncio, sys
from pathlib import Path
from hybridrec_server.pool import OpenBundle, WorkerOptions, start_generation

async def main():
    bundle = OpenBundle(Path(sys.argv[1]))
    workers = await start_generation(bundle, WorkerOptions(60, (Path(sys.argv[2]),)), 2)
    print(*(worker.process for worker in workers), flush=True)
    asyncio.ensure_future(workers[0].ask({
        "do": "recommend", "pipeline": "hybrid", "target": "items", "n": 3, "left_out": [], "explain": False,
        "requests": [{"id": "r", "text": "hold"}],
    }))
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_bundle_with_sane_answers_passes(bundles):
    check(hybridrec.load(bundles["first"], plugins=[MOODY]))


def test_a_bundle_without_answers_or_with_repeats_is_refused(bundles, monkeypatch):
    recommender = hybridrec.load(bundles["first"], plugins=[MOODY])
    right = recommender.recommend

    def answering(change):
        def recommend(queries, **named):
            slate = right(queries, **named)
            return replace(slate, ids=change(slate.ids.copy()))

        monkeypatch.setattr(recommender, "recommend", recommend)

    def repeated(ids):
        ids[:, 1] = ids[:, 0]
        return ids

    answering(repeated)
    with pytest.raises(DataError, match="'control' recommends an id of items twice"):
        check(recommender)
    answering(lambda ids: np.full_like(ids, -1))
    with pytest.raises(DataError, match="'control' recommends no items to any of 9 recorded queries"):
        check(recommender)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker ends when it next reads")
def test_workers_end_with_a_front_that_is_killed_even_if_a_plugin_holds_the_interpreter(bundles):
    front = subprocess.Popen(
        [sys.executable, "-c", FRONT, str(bundles["first"]), str(MOODY)], stdout=subprocess.PIPE, text=True
    )
    workers = [int(number) for number in front.stdout.readline().split()]
    assert len(workers) == 2
    time.sleep(0.3)
    front.send_signal(signal.SIGKILL)
    front.wait()
    front.stdout.close()
    ends = time.monotonic() + 10
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < ends, "workers live on without their front"
        time.sleep(0.05)


def alive(process):
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
