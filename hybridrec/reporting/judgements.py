"""The page's tables of guardrails and repeats."""

from __future__ import annotations

from collections.abc import Sequence

from hybridrec.evaluation.report import Guardrail, Number, RepeatsReport
from hybridrec.reporting.tables import Cell, Table, number


def guardrails(found: Sequence[Guardrail]) -> Table:
    """Every guardrail of every pair, losses in percent of the control."""
    headers = ["variant", "control", "guardrail", "loss", "at least", "at most", "accepted", "verdict"]
    rows = [
        [
            Cell(one.variant),
            Cell(one.control),
            Cell(one.metric),
            _percent(one.loss),
            *(_percent(bound) for bound in one.bounds or (None, None)),
            _percent(one.margin),
            Cell(one.verdict),
        ]
        for one in found
    ]
    return Table("Losses against the control, with one-sided 95 % bounds", headers, rows)


def seed_splits(repeats: RepeatsReport) -> Table:
    """What users and seeds add to the uncertainty of every difference."""
    headers = ["variant", "control", "metric", "difference", "95 % interval", "error from users", "error from seeds"]
    rows = [
        [
            Cell(one.variant),
            Cell(one.control),
            Cell(one.metric),
            number(one.delta, "{:+.4f}"),
            Cell("") if one.ci95 is None else Cell("{:+.4f} … {:+.4f}".format(*one.ci95), one.ci95[0]),
            number(_root(one.users_variance)),
            number(_root(one.seeds_variance)),
            Cell("")
            if one.seeds_share is None
            else Cell(f"{100 * one.seeds_share:.0f} %", one.seeds_share, one.seeds_share),
        ]
        for one in repeats.comparison
    ]
    caption = "Differences for new users and new seeds, and what each adds to the variance"
    return Table(caption, [*headers, "share of seeds"], rows)


def spreads(repeats: RepeatsReport) -> Table:
    """Every arm in every metric, training by training."""
    headers = ["pipeline", "metric", *(f"training {place + 1}" for place in range(repeats.repeats)), "deviation"]
    rows = [
        [Cell(name), Cell(metric), *(number(value) for value in spread.values), number(spread.deviation)]
        for name, metrics in repeats.arms.items()
        for metric, spread in metrics.items()
    ]
    return Table("Every pipeline in every training, all queries", headers, rows)


def _percent(share: Number) -> Cell:
    return Cell("") if share is None else Cell(f"{100 * share:.1f} %", share)


def _root(variance: Number) -> float | None:
    return None if variance is None else variance**0.5
