"""Check of the statistics on the real per-query results of finished runs, written to docs/validity.md.

    pip install -e '.[models,dev,docs]'
    hybridrec run configs/quickstart.yaml && hybridrec run configs/cold-items.yaml
    python -m benchmarks.validity runs/quickstart-* runs/cold-items-*

All runs are used for the calibration, only the first one for power, interleaving and the metrics of other libraries.
The figures are in docs/validity.json next to the page; every simulation is seeded. `--quick` simulates little and is
meant for trying out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.validity import agreement, calibration, logs, page, power
from benchmarks.validity.population import Population
from hybridrec.evaluation.summary import deciding
from hybridrec.runs.run import Run

DOCS = Path(__file__).resolve().parents[2] / "docs"
RANX = Path.home() / ".cache" / "hybridrec" / "ranx"


@dataclass(frozen=True, slots=True)
class Effort:
    """Amount of simulation: the number of repetitions in each check.

    resamples: number of resamples in each comparison
    """

    comparisons: int
    families: int
    trials: int
    logs: int
    resamples: int
    peers: int
    """Number of queries that scikit-learn evaluates one by one."""


FULL = Effort(comparisons=20_000, families=10_000, trials=4_000, logs=1_000, resamples=1_000, peers=200)
QUICK = Effort(comparisons=200, families=50, trials=200, logs=40, resamples=200, peers=20)


@click.command()
@click.argument("folders", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--docs", type=click.Path(path_type=Path), default=DOCS, help="Folder of validity.md.")
@click.option("--ranx", type=click.Path(path_type=Path), default=RANX, help="ranx's environment; made if missing.")
@click.option("--seed", default=1, show_default=True)
@click.option("--quick", is_flag=True, help="Simulate little.")
def main(folders: Sequence[Path], docs: Path, ranx: Path, seed: int, quick: bool) -> None:
    """Check the statistics on finished RUNs and write the page."""
    runs = [Run.open(folder) for folder in folders]
    results = study(runs, QUICK if quick else FULL, ranx, np.random.default_rng(seed))
    (docs / "validity.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    text = docs / "validity.md"
    text.write_text(page.fill(text.read_text(encoding="utf-8"), results), encoding="utf-8")
    page.draw(results, docs)


def study(runs: Sequence[Run], effort: Effort, ranx: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Return all results: name of a table -> its rows, and `made` -> a sentence on the conditions of the study."""
    started = time.perf_counter()
    populations = [Population.of(run) for run in runs]
    first, B = populations[0], effort.resamples

    def measured(check: Callable[..., list[dict[str, Any]]], count: int) -> list[dict[str, Any]]:
        """Return the rows of a check on every population."""
        return [row for population in populations for row in check(population, count, rng, B)]

    tables = {
        "populations": lambda: [
            {"run": population.name, "metric": population.metric, **population.description()}
            for population in populations
        ],
        "calibration": lambda: measured(calibration.equal_arms, effort.comparisons),
        "coverage": lambda: measured(calibration.coverage, effort.comparisons),
        "families": lambda: measured(calibration.families, effort.families),
        "power": lambda: power.detected(first, deciding(runs[0].report)[0], effort.trials, rng, B),
        "sensitivity": lambda: power.sensitivity(runs[0], effort.trials, rng, B),
        "off-policy": lambda: measured(logs.off_policy, effort.logs),
        "agreement": lambda: agreement.tests(first, rng) + agreement.metrics(runs[0], ranx, effort.peers),
    }
    results: dict[str, Any] = {}
    for name, table in tables.items():
        results[name] = table()
        click.echo(f"{name}: {time.perf_counter() - started:.0f} s", err=True)
    minutes = (time.perf_counter() - started) / 60
    results["made"] = (
        f"{effort.comparisons:,} comparisons a row, B = {B:,} resamples; the study took {minutes:.0f} minutes."
    )
    return results


if __name__ == "__main__":
    main()
