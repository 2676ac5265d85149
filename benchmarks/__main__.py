"""`python -m benchmarks NAME...|all [--quick] [--size NAME=N]`: run benchmarks, print and write their results."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import (
    approximate,
    batch,
    cluster,
    dataset,
    engines,
    events,
    exclusion,
    growth,
    kernels,
    large,
    latency,
    pipeline,
    published_sizes,
    ray_jobs,
    serving,
    serving_memory,
    serving_peers,
    serving_soak,
    sharing,
    startup,
    trainers,
)
from benchmarks.page import PAGE, table, write_page
from benchmarks.timing import Work, machine

BENCHMARKS: dict[str, Callable[..., list[Work]]] = {
    "top-k": kernels.top_k,
    "fusion": kernels.fusion,
    "metrics": kernels.metrics,
    "mmr": kernels.diversity,
    "lightfm": kernels.lightfm,
    "als": pipeline.als,
    "hybrid": pipeline.hybrid,
    "latency": latency.latency,
    "growth": growth.growth,
    "blends": growth.blends,
    "sharing": sharing.sharing,
    "batch": batch.batch,
    "cluster": cluster.cluster,
    "ray-jobs": ray_jobs.ray_jobs,
    "engines": engines.engines,
    "trainers": trainers.trainers,
    "events": events.events,
    "large": large.large,
    "dataset": dataset.dataset,
    "approximate": approximate.approximate,
    "exclusion": exclusion.exclusion,
    "serving": serving.serving,
    "serving-memory": serving_memory.serving_memory,
    "serving-peers": serving_peers.serving_peers,
    "serving-soak": serving_soak.serving_soak,
    "startup": startup.startup,
    "published-sizes": published_sizes.published_sizes,
}
SIZES = ("users", "blend_users")
"""The sizes that `--size` may name, those of `engines`."""
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the named benchmarks one after another, write their JSON files and, without `--quick`, the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*BENCHMARKS, "all"], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run, are both ways equal")
    parser.add_argument(
        "--size", type=_size, action="append", default=[], metavar="NAME=N", help=f"of engines: {', '.join(SIZES)}"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON files (%(default)s)")
    asked = parser.parse_args()
    if asked.size and (asked.quick or asked.names != ["engines"]):
        parser.error("--size is for `engines` alone, and not with --quick")
    asked.results.mkdir(parents=True, exist_ok=True)
    for name in BENCHMARKS if "all" in asked.names else asked.names:
        print(f"{name}: {BENCHMARKS[name].__doc__.splitlines()[0]}", flush=True)
        works = [work.as_json() for work in BENCHMARKS[name](asked.quick, **dict(asked.size))]
        result = {
            "benchmark": name,
            "about": BENCHMARKS[name].__doc__,
            "date": date.today().isoformat(),
            "machine": machine(),
            "works": works,
        }
        (asked.results / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
        print(table(works), flush=True)
    if not asked.quick:
        for name in write_page(asked.results):
            print(f"{name}: {PAGE.name} has no marks `<!-- {name} -->`, so this table is only printed")


def _size(text: str) -> tuple[str, int]:
    """Return (name, number) of a text like `users=1000`; raises ArgumentTypeError for any other."""
    name, _, number = text.partition("=")
    if name not in SIZES or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=N; right is, say, {SIZES[0]}=1000")
    return name, int(number)


if __name__ == "__main__":
    main()
