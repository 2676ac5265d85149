"""Measurement of all known systems on the data sets of configs/systems, for docs/systems-measured.md.

    pip install -e '.[models]'
    python -m benchmarks.systems                   # all data sets that are present
    python -m benchmarks.systems setlists radio

Each component is fitted on the first fold in a separate process, on one thread, to measure time and memory of the
fit; then the config is run with the store of those fits. The plain calls of libraries in benchmarks/systems/plain.py
are measured on the same folds. `--quick` asks few queries after few epochs, as a check that everything runs, and does
not write the page.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import hybridrec
from benchmarks.peers import cache_folder
from benchmarks.readme import ROOT, write
from benchmarks.systems import plain
from benchmarks.systems.data import CONFIGS, missing
from benchmarks.systems.page import block
from benchmarks.timing import machine, run_way
from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import load_experiment
from hybridrec.evaluation.report import Report
from hybridrec.registry.discovery import Registry

PAGE = ROOT / "docs" / "systems-measured.md"
RESULTS = ROOT / "benchmarks" / "results" / "systems"


def main() -> None:
    """Measure the named data sets one after another, and write their JSON files and tables."""
    names = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks.systems", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(names)}; all by default")
    parser.add_argument("--quick", action="store_true", help="few queries and epochs: does all run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the JSON files (%(default)s)")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(names):
        parser.error(f"no config in {CONFIGS} is named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    asked.results.mkdir(parents=True, exist_ok=True)
    for name in asked.names or names:
        config = CONFIGS / f"{name}.yaml"
        experiment = load_experiment(config, Registry())
        if lines := list(missing(experiment, config)):
            print(f"{name}: skipped, {'; '.join(lines)}", flush=True)
            continue
        report, fits = measure(experiment, config, quick(experiment) if asked.quick else [])
        command = f"python -m benchmarks.systems {name}"
        content = {
            "machine": machine() | {"command": command},
            "fits": fits,
            "report": report.model_dump(mode="json", exclude={"comparison"}),
        }
        (asked.results / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        blocks = {f"systems {name}": block(report, fits, command, ahr=experiment.config.split.use == "each-position")}
        if name in plain.WAYS and not asked.quick:
            measured = plain.measure(plain.WAYS[name](), plain.folds(experiment))
            blocks[f"systems {name} plain"] = plain.table(report.pipelines, measured)
        print("\n\n".join(blocks.values()), flush=True)
        if not asked.quick:
            write(PAGE, blocks)


def measure(experiment: CheckedExperiment, config: Path, assignments: list[str]) -> tuple[Report, dict[str, Any]]:
    """Fit every component in a separate process, then run the config with the fits from the store.

    Returns the report of the run and the cost of each fit, by label: seconds (`wall`, `cpu`) and bytes (`peak`).
    """
    with tempfile.TemporaryDirectory(dir=scratch()) as store:
        fits = {}
        # Base models first: a fit of what uses one finds it in the store, and must not have made it untimed.
        components = experiment.components
        for label in sorted(experiment.config.components, key=lambda name: len(components[name].base_models)):
            print(f"{experiment.config.name}: fit {label}", file=sys.stderr, flush=True)
            fits[label] = run_way(sys.executable, "fit.py", config, label, store, *assignments)
        finished = hybridrec.run(config, assignments, store=store, runs=scratch() / "runs")
    return finished.report, fits


def scratch() -> Path:
    """Return the folder for stores, whose gigabytes may not fit in a temporary file system."""
    folder = cache_folder() / "systems"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def quick(experiment: CheckedExperiment) -> list[str]:
    """Return assignments that make an experiment small: one fold of few queries, and one pass of iterative training."""
    options = type(experiment.splitter.config).model_fields
    small = {"folds": "null", "test": 0.02, "validation": 0.02}
    assignments = [f"split.{key}={value}" for key, value in small.items() if key in options]
    for label, spec in experiment.components.items():
        passes = [key for key in ("epochs", "iterations", "sweeps") if key in type(spec.options).model_fields]
        assignments += [f"components.{label}.{key}=1" for key in passes]
    return [*assignments, "compare.resamples=100"]


if __name__ == "__main__":
    main()
