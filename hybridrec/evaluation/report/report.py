"""The report of a run: the content of `report.json`, made of the sections of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import model_validator

from hybridrec.data.queries import KNOWN_FIELDS
from hybridrec.evaluation.report.base import Section
from hybridrec.evaluation.report.comparisons import LATENCY, Comparison, Guardrail, RepeatsReport, StatisticsReport
from hybridrec.evaluation.report.figures import FigureReport
from hybridrec.evaluation.report.pipelines import PipelineReport, TradeoffReport
from hybridrec.evaluation.report.provenance import DataReport, Environment, FitReport, SecondsReport, TuningReport
from hybridrec.paths import Name, printable

PROVENANCE: Mapping[str, Any] = {
    "config_hash": True,  # the config says on how many workers, too
    "seconds": True,
    "environment": True,
    "fits": {"__all__": {"seconds", "cached", "doubled", "progress"}},
}
"""The keys of a report that tell how a run was carried out, not what it found, as pydantic's `exclude` takes them."""


class Report(Section):
    """The report of a finished run; `hybridrec schema --of report` explains every key, nested ones included."""

    format: Literal[1] = 1
    """Version of this file's format."""
    name: Name
    """The experiment's name."""
    config_hash: str
    """Digest of the resolved config."""
    data: DataReport
    pipelines: dict[Name, PipelineReport]
    """The results of each arm by name, including those of single components."""
    segmenters: list[str] = [KNOWN_FIELDS]
    """The names of the segmenters, as in `compare.segments`; blends that learn by segment use the first."""
    comparison: list[Comparison] = []
    guardrails: list[Guardrail] = []
    """One entry for each declared pair and guardrail."""
    repeats: RepeatsReport | None = None
    """The differences between repeats; null if everything was trained once."""
    tradeoffs: list[TradeoffReport] = []
    """The curves that the config asks for."""
    statistics: StatisticsReport
    tuning: TuningReport | None = None
    """The search that chose the values of the config; null unless `hybridrec tune` wrote the config."""
    seconds: SecondsReport
    environment: Environment
    fits: list[FitReport] = []
    """The fits of the run, in order of execution."""
    figures: dict[Name, list[FigureReport]] = {}
    """By label, the figures that a component shows of its fit; most components show none."""
    figures_of: str = ""
    """The fold whose fits the figures show: `everything` if the run was trained on all data at the end (`refit: all`),
    else the first fold."""
    notes: list[str] = []
    """Remarks for the reader, in sentences."""

    @model_validator(mode="after")
    def _compare_arms(self) -> Report:
        """Refuse a comparison of a pipeline that the report does not have."""
        rows = [*self.comparison, *self.guardrails, *(self.repeats.comparison if self.repeats else ())]
        for row in rows:
            for name in sorted({row.control, row.variant} - self.pipelines.keys()):
                raise ValueError(f"it compares {printable(name)}, which is not among its pipelines")
        return self

    def comparable(self) -> dict[str, Any]:
        """Return the reproducible part of the report as JSON values: equal for the same experiment on the same data.

        Left out are the keys of `PROVENANCE` (times, the use of the store, progress of fits, the environment and the
        hash of the config) and guardrails of latency. On one machine the rest does not depend on the number of
        workers, the order of fits or the content of the store.
        """
        content = self.model_dump(mode="json", exclude=PROVENANCE)
        content["guardrails"] = [row for row in content["guardrails"] if row["metric"] != LATENCY]
        return content
