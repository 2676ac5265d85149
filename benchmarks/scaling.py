"""Tables of docs/scaling.md: measured figures of many workers, and what is computed from them for more.

`python -m benchmarks.scaling RESULTS` takes cluster.json and engines.json of a folder of results into
docs/scaling.json, and writes the tables of the page from that file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.readme import ROOT, markdown, write

PAGE = ROOT / "docs" / "scaling.md"
FIGURES = ROOT / "docs" / "scaling.json"
SOURCES = ("cluster", "engines")
BANDWIDTH = 1e9
"""Bytes a second of the storage that all workers share: an assumption, not a measurement."""
WORKERS = (1, 10, 100, 1_000)
USERS = (10_000_000, 100_000_000)
FIT_SECONDS, FITS = 60.0, 1_000
"""Core seconds of a fit, and number of fits, of the experiment for which shares are computed."""
ROUNDS = 15
"""Rounds of a fit of `als`, its default."""
LOOP = "a loop in one process"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that many workers do, as far as it decides how long they take.

    seconds: core seconds of all the work
    start: core seconds of each worker before its first unit
    unit: core seconds of the largest piece that one worker does
    moved: bytes that go through the shared storage, however many workers there are
    each: bytes that each worker reads from there
    """

    seconds: float
    start: float
    unit: float
    moved: float
    each: float

    def duration(self, workers: int) -> float:
        """Return the seconds that so many workers take.

        The slower of two: cores, of which the busiest has its share rounded up to whole pieces, and storage.
        """
        pieces = ceil(ceil(self.seconds / self.unit - 1e-6) / workers)
        return max(self.start + pieces * self.unit, (self.moved + workers * self.each) / BANDWIDTH)

    def efficiency(self, workers: int) -> float:
        """Return the share of the cores' time that is work, from 0 to 1."""
        return self.seconds / (workers * self.duration(workers))

    @property
    def saturation(self) -> int:
        """The number of workers beyond which at most half of the cores' time is work, in steps of a tenth."""
        workers = 1
        while self.efficiency(workers) > 0.5:
            workers = max(workers + 1, workers * 11 // 10)
        return workers


def tables(figures: Mapping[str, Any]) -> dict[str, str]:
    """Return the tables of the page by their marks."""
    return {
        "many workers": _measured(figures["cluster"]),
        "more workers": _computed(figures),
        "nightly": _nightly(figures["engines"]),
    }


def write_tables(page: Path, blocks: Mapping[str, str]) -> None:
    """Write each table between its marks; raises ValueError for one that the page has no place for."""
    for mark, block in blocks.items():
        if (places := write(page, {mark: block})) != 1:
            raise ValueError(f"{page.name} has {places} places marked `<!-- {mark} -->`; right is one")


def _measured(cluster: Mapping[str, Any]) -> str:
    """Return one table of the ways of both works: seconds, CPU seconds, memory, and equality with the first way."""
    fits, slates = cluster["works"]
    rows = []
    for work, told in ((fits, f"{fits['units']} fits"), (slates, f"slates of {slates['units']:,} users")):
        first = next(iter(work["ways"]))
        for name, way in work["ways"].items():
            same = "" if name == first else ("yes" if _same(work, name) else "no")
            rows.append(
                [told, name, f"{way['wall']:.0f}", f"{way['cpu']:.0f}", f"{way['private MB of a process']:,.0f}",
                 f"{way['of all']:,.0f}", same]
            )  # fmt: skip
    return _table(["work", "way", "seconds", "CPU seconds", "MB of a process", "MB of all", "as the first"], rows)


def _same(work: Mapping[str, Any], way: str) -> bool:
    """Return whether a way gave the results of the first way."""
    notes = {ratio["what"]: ratio["value"] for ratio in work["ratios"]}
    differ = notes.get(f"places that differ from those of the loop: {way}")
    return notes["reports that are equal, 1 for yes"] == 1 if differ is None else differ == 0


def jobs(figures: Mapping[str, Any]) -> dict[str, Job]:
    """Return the jobs for which more workers are computed, from measured figures."""
    fits = figures["cluster"]["works"][0]
    shares = next(way for name, way in fits["ways"].items() if "shares" in name)
    threads = fits["ways"]["threads"]
    start = _note(fits, "CPU seconds of a worker that finds all done: imports, data, splits")
    # What a share costs beyond the fit itself, without the start of the workers, which is counted for each of them.
    count = int(next(name for name in fits["ways"] if "shares" in name).split()[0])
    more = max(shares["cpu"] - threads["cpu"] - (count + 1) * start, 0) / fits["units"]
    stored = shares["MB in the store"] * 1e6 / fits["units"]
    unit = FIT_SECONDS + more
    result = {
        f"{FITS:,} fits of {FIT_SECONDS:.0f} s by shares": Job(FITS * unit, start, unit, FITS * stored, 0),
    }
    history = history_bytes(figures)
    for work in figures["engines"]["works"]:
        users, way = USERS[-1], work["ways"][LOOP]
        each = (way["cpu"] - way["CPU s for one user"]) / work["units"]
        slate = _note(work, "MB of the slates") * 1e6 / work["units"]
        bundle = _note(work, "MB of the bundle") * 1e6 - history * work["units"]
        name = f"slates of {users // 10**6} M users, {_models(work)}"
        result[name] = Job(users * each, way["CPU s for one user"], 8_192 * each, users * (slate + history), bundle)
    return result


def history_bytes(figures: Mapping[str, Any]) -> float:
    """Return the bytes of a user in a bundle: by how much that of `als` grows from the smaller to the larger work."""
    few, many = figures["cluster"]["works"][1], figures["engines"]["works"][0]
    grown = _note(many, "MB of the bundle") - _note(few, "MB of the bundle")
    return grown * 1e6 / (many["units"] - few["units"])


def _computed(figures: Mapping[str, Any]) -> str:
    """Return the table of how long more workers take, and where it saturates."""
    heads = ["computed", *(f"{count:,}" for count in WORKERS), "half of the time is work at"]
    rows = []
    for name, job in jobs(figures).items():
        cells = [f"{_minutes(job.duration(count))} ({job.efficiency(count):.0%})" for count in WORKERS]
        rows.append([name, *cells, f"{_rounded(job.saturation):,}"])
    return _table(heads, rows)


def _nightly(engines: Mapping[str, Any]) -> str:
    """Return the table of core hours for each number of users."""
    rows = []
    for work in engines["works"]:
        if "item-knn" not in work["work"]:
            fit = (
                ROUNDS
                * _note(work, "CPU seconds of a fit, one round of als, and of writing the bundle")
                / work["units"]
            )
            rows.append([f"fit of als, {ROUNDS} rounds (at most)", f"{1e6 * fit:,.0f}", *_hours(fit)])
        for name, way in work["ways"].items():
            each = (way["cpu"] - way["CPU s for one user"]) / work["units"]
            rows.append([f"{_models(work)}: {name}", f"{1e6 * each:,.0f}", *_hours(each)])
    return _table(
        ["step", "measured: µs of a core for a user", *(f"{users // 10**6} M users" for users in USERS)], rows
    )


def _models(work: Mapping[str, Any]) -> str:
    return "a blend of three" if "item-knn" in work["work"] else "als"


def _hours(each: float) -> Sequence[str]:
    """Return the core hours for each number of users, at these core seconds for each."""
    return [f"{users * each / 3600:,.1f}" for users in USERS]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 600 else f"{seconds:,.0f} s"


def _rounded(number: int) -> int:
    """Return a number with two digits that are not 0."""
    step = 10 ** max(len(str(number)) - 2, 0)
    return number // step * step


def _note(work: Mapping[str, Any], text: str) -> float:
    return next(ratio["value"] for ratio in work["ratios"] if ratio["what"] == text)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown([[*heads], ["---"] * len(heads), *map(list, rows)])


def main() -> None:
    """Take the results of a folder into the file of figures, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("results", type=Path, help="folder with the JSON files of `cluster` and `engines`")
    folder = parser.parse_args().results
    if missing := [name for name in SOURCES if not (folder / f"{name}.json").exists()]:
        parser.error(f"{folder} has no {missing[0]}.json; `python -m benchmarks {' '.join(SOURCES)}` writes the files")
    figures = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in SOURCES}
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_tables(PAGE, tables(figures))


if __name__ == "__main__":
    main()
