"""Commands that replay what is on record: interleave, off-policy."""

from __future__ import annotations

from pathlib import Path

import click

from hybridrec.cli.exploring import TARGET

SEED = click.option("--seed", default=0, show_default=True, help="Of the coins and the resamples.")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("control")
@click.argument("variant")
@click.option("--method", type=click.Choice(["team-draft", "balanced"]), default="team-draft", show_default=True)
@click.option("-n", default=20, show_default=True, type=click.IntRange(min=1), help="Places shown.")
@click.option(
    "--rounds", default=10, show_default=True, type=click.IntRange(min=1), help="Interleavings averaged per query."
)
@SEED
@TARGET
def interleave(run: Path, control: str, variant: str, method: str, n: int, rounds: int, seed: int, target: str) -> None:
    """Interleave the slates of two pipelines of a finished RUN and see whose places the held-out truth prefers.

    Of every query's interleaved slate, the relevant places count as chosen; the pipeline with more of them
    wins it. The table gives the share of interleavings that VARIANT won more than CONTROL, with interval and
    test; users are the unit. Several interleavings of each query are averaged, which only lowers the noise.
    """
    from hybridrec.cli.printing import table
    from hybridrec.evaluation.compare import sentence
    from hybridrec.experiment.folder import Run
    from hybridrec.experiment.replaying import interleave_run

    rows = interleave_run(
        Run.open(run),
        control,
        variant,
        method=method,  # type: ignore[arg-type]
        n=n,
        target=target,  # type: ignore[arg-type]
        rounds=rounds,
        seed=seed,
    )
    table(
        f"{variant} against {control}, {rounds} interleavings of each query",
        ["segment", "users", "more won", "95 % interval", "p (Holm)", "verdict"],
        [
            [
                row.segment,
                str(row.units),
                _number(row.delta),
                _interval(row.ci95),
                _number(row.p_adjusted, ".4f"),
                row.verdict,
            ]
            for row in rows
        ],
    )
    print(sentence(rows[0]))


@click.command("off-policy")
@click.argument("log", type=click.Path(path_type=Path))
@click.option(
    "--clip",
    "clips",
    multiple=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Also cut the importance weights off here (default: 5, 10, 20, 50, 100).",
)
@SEED
def off_policy(log: Path, clips: tuple[float, ...], seed: int) -> None:
    """Say from a LOG of another policy what a target policy would have earned.

    LOG is a table (Parquet, CSV, TSV or JSON Lines) with one row per action that was shown and the columns
    unit (the user), reward, propensity (the probability with which the logging policy showed it) and
    target_propensity (that of the target policy); with predicted (a model's reward of the action) and
    expected (the model's mean reward under the target policy) the doubly robust estimate is made, too.
    """
    from hybridrec.cli.printing import table
    from hybridrec.evaluation.logged import Logged
    from hybridrec.evaluation.off_policy import CLIPS, off_policy_estimates, sentence
    from hybridrec.experiment.fitting import label_rng

    rows = off_policy_estimates(Logged.read(log), label_rng(seed, "off-policy"), clips or CLIPS)
    table(
        f"The target policy, from {rows[0].actions:,} actions seen by {rows[0].units:,} units",
        ["estimator", "clipped at", "reward", "95 % interval", "difference", "95 % interval", "effective", "clipped"],
        [
            [
                row.estimator,
                "" if row.clip is None else f"{row.clip:g}",
                f"{row.value:.4f}",
                _interval(row.ci95, ".4f"),
                f"{row.lift:+.4f}",
                _interval(row.lift_ci95),
                f"{row.effective_size:.0f}",
                f"{100 * row.clipped:.1f} %",
            ]
            for row in rows
        ],
    )
    print(sentence(rows))


def _number(value: float | None, form: str = "+.4f") -> str:
    return "" if value is None else format(value, form)


def _interval(bounds: tuple[float, float] | None, form: str = "+.4f") -> str:
    return "" if bounds is None else f"{bounds[0]:{form}} ... {bounds[1]:{form}}"
