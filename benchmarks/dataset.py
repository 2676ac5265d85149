"""Cost of making a dataset of very many plays; `python -m benchmarks.dataset --plays NUMBER` measures any number."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import peers, synthetic
from benchmarks.page import table
from benchmarks.timing import Way, Work, run_way
from hybridrec.data.packed_texts import PackedTexts, pack_column
from hybridrec.data.readers.row_blocks import LONG
from hybridrec.engine.memory import PeakMemory

USERS, ITEMS = 2_000_000, 500_000
NEVER = 1 << 62
"""More rows than a file has: it is read at once."""
BYTES_PER_PLAY = 10 + 2 * 16
"""Bytes on disk for each play: those of the file, and those of the temporary files with user, item and time."""


def dataset(quick: bool) -> list[Work]:
    """Read plays from Parquet into a dataset, in blocks and at once; and pack ten million ids."""
    works = [both(100_000 if quick else 10_000_000, text, quick) for text in (False, True)]
    return [*works, many(200_000 if quick else 100_000_000, quick), packing(20_000 if quick else 10_000_000)]


def both(plays: int, text: bool, quick: bool) -> Work:
    """Read the same plays in blocks and at once: the dataset is the same."""
    folder = written(plays, text, quick)
    told = {"in blocks": _told(folder, 0), "at once": _told(folder, NEVER)}
    assert [each["mapped"] for each in told.values()] == [True, False], "both were read in the same way"
    assert told["in blocks"]["fingerprint"] == told["at once"]["fingerprint"], "the two datasets differ"
    work = Work(f"{plays:,} plays, ids are {'texts' if text else 'integers'}", "run", 1, _ways(told))
    work.ratio("at once", "in blocks")
    return work


def many(plays: int, quick: bool) -> Work:
    """Read plays in blocks."""
    told = _told(written(plays, text=False, quick=quick), 0 if quick else LONG)
    name = f"{plays:,} plays of {told['users']:,} users and {told['items']:,} items, ids are integers"
    work = Work(name, "run", 1, _ways({"in blocks": told}))
    wall, cpu = told["phases"]["read"]
    most = "≤ 5" if plays == 100_000_000 else ""
    work.note("minutes", wall / 60, most, cpu=cpu / 60)
    work.note("private memory at the peak, GB", told["private"] / 1e9, "≤ 3" if most else "≤ 6")
    return work


def packing(ids: int) -> Work:
    """Pack distinct ids of a column to bytes, through Arrow and with a Python object for each."""
    texts = pl.select(pl.int_range(ids).cast(pl.String).str.zfill(8)).to_series()
    ways, packed = {}, []
    for name, pack in (("Arrow", pack_column), ("a Python object each", PackedTexts.of)):
        with PeakMemory(interval=0.01) as peak:
            wall, cpu = time.perf_counter(), time.process_time()
            packed.append(pack(texts))
            seconds = time.perf_counter() - wall, time.process_time() - cpu
        ways[name] = Way(
            [seconds[0]], [seconds[1]], {"bytes for each id at the peak": (peak.bytes - peak.before) / ids}
        )
    assert packed[0] == packed[1], "the two ways pack other bytes"
    work = Work(f"{ids:,} ids packed", "id", ids, ways)
    work.ratio("a Python object each", "Arrow")
    work.note("bytes for each id, packed", (packed[0].encoded.nbytes + packed[0].ends.nbytes) / ids)
    return work


def written(plays: int, text: bool, quick: bool) -> Path:
    """Return the folder of so many plays, which are written if they do not exist."""
    users, items = (USERS, ITEMS) if not quick else (2_000, 500)
    return synthetic.write_plays(synthetic.Size(users, items, plays), peers.cache_folder() / "data", text=text)


def _told(folder: Path, long: int) -> dict[str, Any]:
    return run_way(sys.executable, "with_dataset.py", folder, long)


def _ways(told: dict[str, dict[str, Any]]) -> dict[str, Way]:
    ways = {}
    for name, each in told.items():
        [wall, cpu] = each["phases"]["read"]
        ways[name] = Way([wall], [cpu], {"CPU seconds": cpu, "private memory at the peak, MB": each["private"] / 1e6})
    return ways


def main() -> None:
    """Measure any number of plays, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dataset", description=__doc__)
    parser.add_argument("--plays", type=int, default=1_000_000_000, help="number of plays (%(default)s)")
    asked = parser.parse_args()
    folder = peers.cache_folder()
    free = shutil.disk_usage(folder).free
    needed = asked.plays * BYTES_PER_PLAY
    if needed > free:
        parser.exit(2, f"{asked.plays:,} plays take {needed / 1e9:.1f} GB on disk, and {folder} has {free / 1e9:.1f}\n")
    print(table([many(asked.plays, quick=False).as_json()]))


if __name__ == "__main__":
    main()
