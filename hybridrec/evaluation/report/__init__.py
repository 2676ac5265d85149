"""The content of report.json; the JSON Schema of the file is made from these models.

Names here stay; a change that breaks readers raises `format`. A number that does not exist (nothing
to measure, too few users) is null, never NaN.
"""

from hybridrec.evaluation.report.arms import (
    MetricReport,
    PipelineReport,
    RungReport,
    SegmentReport,
    TradeoffPoint,
    TradeoffReport,
)
from hybridrec.evaluation.report.circumstances import DataReport, Environment, FitReport, SecondsReport, TuningReport
from hybridrec.evaluation.report.document import Report
from hybridrec.evaluation.report.judgements import (
    LATENCY,
    Comparison,
    Correction,
    Guardrail,
    GuardrailVerdict,
    RepeatsReport,
    SeedSplit,
    Spread,
    StatisticsReport,
    Verdict,
)
from hybridrec.evaluation.report.section import Interval, Number, Section

__all__ = [
    "LATENCY",
    "Comparison",
    "Correction",
    "DataReport",
    "Environment",
    "FitReport",
    "Guardrail",
    "GuardrailVerdict",
    "Interval",
    "MetricReport",
    "Number",
    "PipelineReport",
    "RepeatsReport",
    "Report",
    "RungReport",
    "SecondsReport",
    "Section",
    "SeedSplit",
    "SegmentReport",
    "Spread",
    "StatisticsReport",
    "TradeoffPoint",
    "TradeoffReport",
    "TuningReport",
    "Verdict",
]
