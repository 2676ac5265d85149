"""Views of a run of the toy experiment: its report without times, its fits, and the events that its plugin saw."""

from __future__ import annotations

import sys
from typing import Any

from hybridrec import Report

LEARNED = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]")
"""The blend of the experiment, replaced by one that learns."""


def plain(report: Report) -> dict[str, Any]:
    """Return a report without the entries that differ from run to run."""
    content = report.model_dump(exclude={"seconds"})
    content["fits"] = [
        {k: v for k, v in fit.items() if k not in ("seconds", "cached", "doubled")} for fit in content["fits"]
    ]
    return content


def keys(report: Report) -> dict[tuple[str, str, str], str]:
    """Return the key of each fit, by label, fold and level."""
    return {(fit.label, fit.fold, fit.level): fit.key for fit in report.fits}


def changed(before: Report, after: Report) -> set[str]:
    """Return the labels whose fits have another key."""
    old, new = keys(before), keys(after)
    return {label for (label, *rest), key in new.items() if old.get((label, *rest)) != key}


def events(kind: str) -> list[dict[str, Any]]:
    """Return the events of one kind, which the observers of the plugin wrote down."""
    return [event for name, event in sys.modules["toyland"].events if name == kind]


def asked() -> set[tuple[str, str]]:
    """Return the stages that ran, each with its pipeline."""
    return {(event["stage"], event["pipeline"]) for event in events("stage")}
