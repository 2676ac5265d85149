"""Growth of cost: time and memory of recommending by the number of queries, items, interactions, candidates, arms."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numpy as np

from benchmarks import peers, synthetic
from benchmarks.page import PAGE
from benchmarks.synthetic import Size
from benchmarks.timing import Way, Work, run_way

BASE = {"queries": 4_000, "items": 20_000, "interactions": 400_000, "candidates": 200, "arms": 1}
USERS = 10_000
POINTS = {
    "queries": (4_000, 8_000, 16_000, 32_000),
    "items": (20_000, 40_000, 80_000, 160_000),
    "interactions": (400_000, 800_000, 1_600_000, 3_200_000),
    "candidates": (100, 200, 400, 800),
    "arms": (1, 4, 16, 64),
}
LINEAR = "≤ 1.05"


def growth(quick: bool) -> list[Work]:
    """Measure the growth of CPU time and peak memory of two generators and a blend, as exponents of a log-log fit."""
    shrink = 16 if quick else 1
    measured = {axis: [_point(axis, at, shrink) for at in points] for axis, points in POINTS.items()}
    works = []
    for axis, points in POINTS.items():
        ways = {
            f"{at:,} {axis}": Way([told["cpu"]], [told["cpu"]], _memory(told))
            for at, told in zip(points, measured[axis], strict=True)
        }
        work = Work(f"asking, by {axis}", "run", 1, ways)
        exponent = _slope(points, [told["cpu"] for told in measured[axis]])
        work.note(f"exponent of CPU time in {axis}", exponent, LINEAR if axis in ("queries", "items") else "")
        work.note(f"exponent of peak memory in {axis}", _slope(points, [told["peak"] for told in measured[axis]]))
        works.append(work)
    if not quick:
        _draw(measured)
    return works


def blends(quick: bool) -> list[Work]:
    """Measure recommending with a hundred blends of the same components, and with one; fits come from the store.

    What each further blend costs is compared with its weighted sum and `np.argpartition` of the same columns.
    """
    shrink = 16 if quick else 1
    told = {arms: _point("arms", arms, shrink) for arms in (1, 100)}
    names = {1: "1 blend", 100: "100 blends"}
    ways = {names[arms]: Way([at["cpu"]], [at["cpu"]], _memory(at)) for arms, at in told.items()}
    work = Work("blends of the same candidates", "run", 1, ways)
    work.ratio("100 blends", "1 blend")
    further = (told[100]["cpu"] - told[1]["cpu"]) / 99
    work.note("a further blend / weighted sum and argpartition", further / (told[100]["plain"] / 100), "≤ 1.5")
    return [work]


def _point(axis: str, value: int, shrink: int) -> dict[str, Any]:
    """Return the measurements at one point: `BASE` with another value on this axis, all sizes divided by `shrink`."""
    return _told(*(BASE | {axis: value}).values(), shrink=shrink)


@cache  # the base is a point of every axis, measured once
def _told(queries: int, items: int, interactions: int, candidates: int, arms: int, *, shrink: int) -> dict[str, Any]:
    size = Size(USERS // shrink, max(items // shrink, 1_000), interactions // shrink)
    data = synthetic.write(size, peers.cache_folder() / "data")
    return run_way(sys.executable, "with_growth.py", data, queries // shrink, candidates, arms)


def _memory(told: dict[str, Any]) -> dict[str, float]:
    return {"peak, MB": told["peak"] / 1e6}


def _slope(sizes: tuple[int, ...], values: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def _draw(measured: dict[str, list[dict[str, Any]]]) -> None:
    """Draw docs/growth.svg: CPU time above, peak memory below, on logarithmic axes."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullFormatter

    plt.rcParams["svg.hashsalt"] = "hybridrec"  # makes the SVG the same for the same numbers
    figure, axes = plt.subplots(2, len(measured), figsize=(13, 5), sharey="row", layout="constrained")
    for column, (axis, told) in enumerate(measured.items()):
        for row, (key, scale, unit) in enumerate((("cpu", 1, "CPU seconds"), ("peak", 1e6, "peak MB"))):
            values = [at[key] / scale for at in told]
            axes[row, column].loglog(POINTS[axis], values, "o-", color="#c2410c")
            axes[row, column].set_title(f"exponent {_slope(POINTS[axis], values):.2f}", fontsize=10)
            axes[row, column].xaxis.set_major_locator(FixedLocator(POINTS[axis]))
            axes[row, column].yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
            for ticks in (axes[row, column].xaxis, axes[row, column].yaxis):
                ticks.set_major_formatter(EngFormatter(sep=""))
                ticks.set_minor_formatter(NullFormatter())
            axes[row, column].grid(alpha=0.3)
            axes[row, 0].set_ylabel(unit)
        axes[1, column].set_xlabel(axis)
    figure.savefig(PAGE.parent / "growth.svg", metadata={"Date": None})
    plt.close(figure)
