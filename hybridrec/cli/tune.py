"""`hybridrec tune`: search for the best values of options on validation queries, and print the progress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli._options import ExperimentOptions, experiment_options

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from hybridrec.config.experiment import Tuning
    from hybridrec.tuning.study_dir import Tuned
    from hybridrec.tuning.trials import Trial


SHOWN = 10
"""Number of trials in the table at the end."""


@click.command()
@experiment_options
@click.option("--trials", type=click.IntRange(min=1), help="Total number of trials, earlier ones included.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Begin no trial after so many seconds.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="FOLDER", help="Continue an earlier search.")
@click.option("--quiet", is_flag=True, help="Print nothing but the path of best.yaml.")
def tune(
    config: Path,
    assignments: tuple[str, ...],
    options: ExperimentOptions,
    trials: int | None,
    seconds: float | None,
    resume: Path | None,
    quiet: bool,
) -> None:
    """Choose options and weights on validation queries; no test query is used.

    The section `tune` of CONFIG has the search space. All trials, their importance and best.yaml, the config
    with the best values, are written into a new folder below RUNS; an interrupted search is continued there with
    --resume.
    """
    from hybridrec.tuning.tune import tune as search

    with TuneDisplay(quiet) as shown:
        tuned = search(
            config,
            assignments,
            trials=trials,
            seconds=seconds,
            resume_from=resume,
            callback=shown,
            **options,
        )
    if quiet:
        print(tuned.config)
    else:
        show(tuned)


def show(tuned: Tuned) -> None:
    """Print the best trials of a search, the importance of the options, and the command that measures the result."""
    from hybridrec.cli._console import print_table

    paths, metrics = list(tuned.best[0].values), list(tuned.best[0].metrics)
    rows = [
        [str(trial.number)]
        + [f"{trial.metrics[metric]:.4f}" for metric in metrics]
        + [_short(trial.values[path]) for path in paths]
        for trial in tuned.best[:SHOWN]
    ]
    print_table(f"Best of {len(tuned.trials)} trials (validation)", ["trial", *metrics, *_names(paths)], rows)
    print()
    if tuned.importance:
        names = dict(zip(paths, _names(paths), strict=True))
        print_table("Importance", ["option", "share"], [[names[p], f"{s:.2f}"] for p, s in tuned.importance.items()])
        print()
    print(f"now on the test queries: hybridrec run {tuned.config}")


class TuneDisplay:
    """A callback of a search that prints each improvement; on a terminal it also shows a progress bar.

    After an interruption it prints the option that resumes the search.
    """

    def __init__(self, quiet: bool) -> None:
        from hybridrec.cli._console import console

        self.quiet = quiet
        self.console = console(stderr=True)
        self.folder: Path | None = None
        self.metric = ""
        self.best = -1
        self.bar: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> TuneDisplay:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.bar is not None:
            self.bar[0].stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt) and self.folder is not None:
            self.console.print(f"all trials are kept; to go on, say the same again with --resume {self.folder}")

    def began(self, folder: Path, tuning: Tuning, trials: int) -> None:
        """Print the folder of the results, and start the progress bar."""
        self.folder, self.metric = folder, tuning.metric_spec.key
        if self.quiet:
            return
        self.console.print(f"trials go into {folder}")
        if self.console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            progress = Progress(*columns, console=self.console, transient=True)
            progress.start()
            self.bar = (progress, progress.add_task("trials", total=trials))

    def tried(self, trial: Trial, best: Trial | None) -> None:
        """Advance the bar, and print the trial if it is the best so far or has failed."""
        if self.bar is not None:
            self.bar[0].advance(self.bar[1])
        if self.quiet:
            return
        if trial.state == "failed":
            self.console.print(f"trial {trial.number} failed: {trial.problem}", markup=False)
        elif best is not None and best.number != self.best:
            self.best = best.number
            value = best.metrics[self.metric]
            self.console.print(f"trial {best.number}: {self.metric} {value:.4f}, best so far ({best.seconds:.2f} s)")


def _names(paths: list[str]) -> list[str]:
    """Remove the first steps of key paths, as far as they are the same in all paths."""
    paths_as_steps = [path.split(".") for path in paths]
    shared = 0
    while all(len(steps) > shared + 1 and steps[shared] == paths_as_steps[0][shared] for steps in paths_as_steps):
        shared += 1
    return [".".join(steps[shared:]) for steps in paths_as_steps]


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
