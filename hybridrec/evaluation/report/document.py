"""The whole report."""

from __future__ import annotations

from typing import Literal

from hybridrec.evaluation.report.arms import PipelineReport, TradeoffReport
from hybridrec.evaluation.report.circumstances import DataReport, Environment, FitReport, SecondsReport, TuningReport
from hybridrec.evaluation.report.judgements import Comparison, Guardrail, RepeatsReport, StatisticsReport
from hybridrec.evaluation.report.section import Section
from hybridrec.paths import Name


class Report(Section):
    """A finished run."""

    format: Literal[1] = 1
    """Version of this file's format."""
    name: Name
    """The experiment's name."""
    config_hash: str
    """Digest of the resolved config."""
    data: DataReport
    pipelines: dict[Name, PipelineReport]
    """By name, single components too."""
    comparison: list[Comparison] = []
    guardrails: list[Guardrail] = []
    """By declared pair and guardrail."""
    repeats: RepeatsReport | None = None
    """Null if everything was trained once."""
    tradeoffs: list[TradeoffReport] = []
    """The curves that the config asks for."""
    statistics: StatisticsReport
    tuning: TuningReport | None = None
    """How the config was chosen, if `hybridrec tune` made it."""
    seconds: SecondsReport
    environment: Environment
    fits: list[FitReport] = []
    """The fit plan, in the order it was carried out."""
    notes: list[str] = []
    """What a reader should know, in sentences."""
