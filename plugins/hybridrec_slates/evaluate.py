"""`hybridrec evaluate`: compare slates of any systems; and the function behind the command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hybridrec import ConfigError, Run, print_report, run
from hybridrec_slates.files import read_queries, read_slates

METRICS = ("ndcg@10", "recall@10", "mrr@10")


def evaluate_slates(
    slates: Mapping[str, Path | str],
    qrels: Path | str,
    *,
    queries: Path | str | None = None,
    items: Path | str | None = None,
    control: str | None = None,
    metrics: Sequence[str | Mapping[str, Any]] = METRICS,
    guardrails: Mapping[str, float] | None = None,
    seed: int = 1,
    name: str = "evaluation",
    runs: Path | str = "runs",
) -> Run:
    """Compare the slates of several systems by the relevant ids of their queries, and return the run that is written.

    slates: name of a system -> file of its slates
    qrels: file of the relevant ids of the queries
    queries: a table with the unit of each query, and columns whose values become segments
    items: a table of the items that may be recommended
    control: the system that the others are compared with; by default the first one
    guardrails: metric -> largest relative loss that is accepted
    runs: folder in which the run is written

    A query without a slate counts as one with an empty slate. Raises DataError for unknown queries and ids, repeats and
    files that cannot be read.
    """
    config = evaluation_config(
        slates,
        qrels,
        queries=queries,
        items=items,
        control=control,
        metrics=metrics,
        guardrails=guardrails,
        seed=seed,
        name=name,
    )
    return run(config, runs=runs)


def evaluation_config(
    slates: Mapping[str, Path | str],
    qrels: Path | str,
    *,
    queries: Path | str | None = None,
    items: Path | str | None = None,
    control: str | None = None,
    metrics: Sequence[str | Mapping[str, Any]] = METRICS,
    guardrails: Mapping[str, float] | None = None,
    seed: int = 1,
    name: str = "evaluation",
) -> dict[str, Any]:
    """Return the config, as `hybridrec run` takes it, of the experiment that `evaluate_slates` runs."""
    files = {system: str(Path(path).resolve()) for system, path in slates.items()}
    data: dict[str, Any] = {"reader": "qrels", "qrels": str(Path(qrels).resolve()), "slates": list(files.values())}
    data |= {
        key: str(Path(path).resolve()) for key, path in (("queries", queries), ("items", items)) if path is not None
    }
    length = max(_longest(path) for path in files.values())
    compare: dict[str, Any] = {"control": control or next(iter(files)), "metrics": list(metrics)}
    if guardrails:
        compare["guardrails"] = dict(guardrails)
    if queries is not None and (columns := read_queries(Path(queries)).columns[2:]):
        compare["segments"] = [{"use": "context", "column": column, "as": column} for column in columns]
    return {
        "name": name,
        "seed": seed,
        "data": data,
        "split": {"use": "judged"},
        "components": {system: {"use": "slate-file", "path": path} for system, path in files.items()},
        "targets": {"items": max(length, _deepest(metrics))},
        "pipelines": {
            system: {"generators": [{"from": system, "k": length}], "seen": "allow", "fallback": []} for system in files
        },
        "compare": compare,
    }


def _longest(path: str) -> int:
    """Return the length of the longest slate of a file."""
    return int(read_slates(Path(path)).group_by("query").len()["len"].max() or 1)  # type: ignore[arg-type]


def _deepest(metrics: Sequence[str | Mapping[str, Any]]) -> int:
    """Return the largest cut-off of the metrics, 1 if none has one."""
    cut_offs = [
        metric.rpartition("@")[2] if isinstance(metric, str) else str(metric.get("at", 1)) for metric in metrics
    ]
    return max((int(cut_off) for cut_off in cut_offs if cut_off.isdigit()), default=1)


def named(paths: Sequence[str]) -> dict[str, Path]:
    """Return name of a system -> file, from texts NAME=FILE, or FILE for a system with the name of its file.

    Raises ConfigError if two systems have the same name.
    """
    systems: dict[str, Path] = {}
    for text in paths:
        name, equals, path = text.partition("=")
        file = Path(path if equals else text)
        system = name if equals else re.sub(r"[^A-Za-z0-9._-]", "-", file.name.partition(".")[0])
        if system in systems:
            raise ConfigError(f"two files are called '{system}': {systems[system]} and {file}; give names: NAME={file}")
        systems[system] = file
    return systems


@click.command()
@click.argument("slates", nargs=-1, required=True)
@click.option("--qrels", required=True, type=click.Path(path_type=Path), help="Relevant ids: TREC qrels, or a table.")
@click.option("--queries", type=click.Path(path_type=Path), help="A table: query, unit, and columns for segments.")
@click.option("--items", type=click.Path(path_type=Path), help="A table of the items that may be recommended.")
@click.option("--control", help="The system that the others are compared with (default: the first).")
@click.option(
    "--metric", "metrics", multiple=True, default=METRICS, show_default=True, help="A metric; the first decides."
)
@click.option(
    "--guardrail", "guardrails", multiple=True, metavar="METRIC=SHARE", help="Largest relative loss accepted."
)
@click.option("--seed", default=1, show_default=True, help="Seed of the resamples.")
@click.option("--name", default="evaluation", show_default=True, help="Name of the run.")
@click.option(
    "--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder of runs."
)
def evaluate(
    slates: tuple[str, ...],
    qrels: Path,
    queries: Path | None,
    items: Path | None,
    control: str | None,
    metrics: tuple[str, ...],
    guardrails: tuple[str, ...],
    seed: int,
    name: str,
    runs: Path,
) -> None:
    """Compare the SLATES of any systems, FILE or NAME=FILE, by the relevant ids of their queries.

    Files are TREC text, or tables (.csv, .tsv, .parquet, .jsonl) with the columns query, id, and rank or score. The
    result is a run like any other: metrics with intervals, corrected paired tests, segments, guardrails, a page.
    """
    limits = {}
    for text in guardrails:
        metric, _, share = text.partition("=")
        try:
            limits[metric] = float(share)
        except ValueError:
            raise ConfigError(f"--guardrail {text}: right is METRIC=SHARE, such as ndcg@10=0.05") from None
    finished = evaluate_slates(
        named(slates),
        qrels,
        queries=queries,
        items=items,
        control=control,
        metrics=metrics,
        guardrails=limits,
        seed=seed,
        name=name,
        runs=runs,
    )
    print_report(finished.report)
    print(finished.folder / "report.html")
    print(finished.folder / "report.json")
