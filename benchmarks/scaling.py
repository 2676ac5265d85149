"""Tables of docs/scaling.md: measured figures of many workers, and what is computed from them for more.

`python -m benchmarks.scaling RESULTS` takes cluster.json, ray-jobs.json and engines.json of a folder of results
into docs/scaling.json, and writes the tables of the page from that file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from benchmarks.engines import ROWS
from benchmarks.ray_jobs import ADDED, COMPUTING, DRIVER, START
from benchmarks.readme import ROOT, markdown, write

PAGE = ROOT / "docs" / "scaling.md"
FIGURES = ROOT / "docs" / "scaling.json"
SOURCES = ("cluster", "ray-jobs", "engines")
BANDWIDTH = 1e9
"""Bytes a second of the storage that all workers share: an assumption, not a measurement."""
WORKERS = (1, 10, 100, 1_000)
USERS = (10_000_000, 100_000_000)
FIT_SECONDS, FITS = 60.0, 1_000
"""Core seconds of a fit, and number of fits, of the experiment for which shares and Ray are computed."""
SHORT_SECONDS = 1.0
"""Core seconds of each of more fits that take as long together, on Ray."""
ROUNDS = 15
"""Rounds of a fit of `als`, its default."""
LOOP = "a loop in one process"


@dataclass(frozen=True, slots=True)
class Job:
    """Work that many workers do, as far as it decides how long they take.

    pieces: number of pieces, of which a worker does one after another
    unit: core seconds of a piece
    start: core seconds of each worker before its first piece
    moved: bytes that go through the shared storage, however many workers there are
    each: bytes that each worker reads from there
    overhead: core seconds of the worker for each piece, beyond the work
    driver: core seconds for each piece of the one process that hands them out
    """

    pieces: int
    unit: float
    start: float
    moved: float
    each: float
    overhead: float = 0.0
    driver: float = 0.0

    def duration(self, workers: int) -> float:
        """Return the seconds that so many workers take.

        The slowest of three: cores, of which the busiest has its share rounded up to whole pieces, storage, and the
        driver.
        """
        return max(
            self.start + ceil(self.pieces / workers) * (self.unit + self.overhead),
            (self.moved + workers * self.each) / BANDWIDTH,
            self.pieces * self.driver,
        )

    def efficiency(self, workers: int) -> float:
        """Return the share of the cores' time that is work, from 0 to 1."""
        return self.pieces * self.unit / (workers * self.duration(workers))

    @property
    def saturation(self) -> int:
        """The number of workers from which at most half of the cores' time is work, in steps of a tenth.

        Fewer may be worse, where the last round of pieces leaves many without work.
        """
        result = workers = 1
        while workers <= 2 * self.pieces:  # then each has a piece at most, and more of them only wait
            following = max(workers + 1, workers * 11 // 10)
            result = following if self.efficiency(workers) > 0.5 else result
            workers = following
        return result


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
    result = {**_by_shares(figures["cluster"]), **_on_ray(figures)}
    history = history_bytes(figures)
    for work in figures["engines"]["works"]:
        users, way = USERS[-1], work["ways"][LOOP]
        each = (way["cpu"] - way["CPU s for one user"]) / work["units"]
        slate = _note(work, "MB of the slates") * 1e6 / work["units"]
        bundle = _note(work, "MB of the bundle") * 1e6 - history * work["units"]
        name = f"slates of {users // 10**6} M users, {_models(work)}"
        moved = users * (slate + history)
        result[name] = Job(ceil(users / ROWS), ROWS * each, way["CPU s for one user"], moved, bundle)
    return result


def _by_shares(cluster: Mapping[str, Any]) -> dict[str, Job]:
    """Return the job of fits by shares, from the largest number of shares that was measured."""
    fits = cluster["works"][0]
    count, shares = max((int(name.split()[0]), way) for name, way in fits["ways"].items() if "share" in name)
    start = _note(fits, "CPU seconds of a worker that finds all done: imports, data, splits")
    # What a share costs beyond the fit itself. The start of each share is counted for each worker; the run after the
    # shares starts as that by threads does.
    more = max(shares["cpu"] - fits["ways"]["threads"]["cpu"] - count * start, 0) / fits["units"]
    read = _note(fits, "MB of the data, which each worker reads") * 1e6
    name = f"{FITS:,} fits of {FIT_SECONDS:.0f} s by shares"
    return {name: Job(FITS, FIT_SECONDS, start, FITS * _stored(fits), read, more)}


def _on_ray(figures: Mapping[str, Any]) -> dict[str, Job]:
    """Return the jobs of fits on Ray: long ones, and short ones that take as long together."""
    fits, (_, short, computing) = figures["cluster"]["works"][0], figures["ray-jobs"]["works"]
    threads, ray = (next(way for name, way in fits["ways"].items() if key in name) for key in ("threads", "Ray"))
    parts = (ray["MB in the store"] - threads["MB in the store"]) * 1e6
    result = {}
    for seconds in (FIT_SECONDS, SHORT_SECONDS):
        count = round(FITS * FIT_SECONDS / seconds)
        overhead = seconds * (_note(computing, COMPUTING) - 1) + _note(short, ADDED) / 1e3
        result[f"{count:,} fits of {seconds:.0f} s on Ray"] = Job(
            count, seconds, _note(short, START), count * _stored(fits), parts, overhead, _note(short, DRIVER) / 1e3
        )
    return result


def _stored(fits: Mapping[str, Any]) -> float:
    """Return the bytes of a fit in the store."""
    stored: float = fits["ways"]["threads"]["MB in the store"] * 1e6 / fits["units"]
    return stored


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
    parser.add_argument("results", type=Path, help="folder with the JSON files of the benchmarks")
    folder = parser.parse_args().results
    if missing := [name for name in SOURCES if not (folder / f"{name}.json").exists()]:
        parser.error(f"{folder} has no {missing[0]}.json; `python -m benchmarks {' '.join(SOURCES)}` writes the files")
    figures = {name: json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in SOURCES}
    for result in figures.values():
        result["machine"].pop("command", None)  # it has paths of the machine
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_tables(PAGE, tables(figures))


if __name__ == "__main__":
    main()
