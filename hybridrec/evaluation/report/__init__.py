"""The content of report.json; the JSON Schema of the file is made from these models.

The names of keys do not change. The number `format` is raised with each change that breaks programs that read the file.
A number that does not exist (nothing to measure, too few users) is null, never NaN.
"""

from hybridrec.evaluation.report.base import Interval, Number, Section
from hybridrec.evaluation.report.comparisons import (
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
from hybridrec.evaluation.report.figures import (
    CurveReport,
    FigureReport,
    MapLegend,
    StripesReport,
    TableReport,
    figure_report,
)
from hybridrec.evaluation.report.pipelines import (
    MetricReport,
    PipelineReport,
    SegmentReport,
    ServedByReport,
    TradeoffPoint,
    TradeoffReport,
)
from hybridrec.evaluation.report.provenance import (
    DataReport,
    Environment,
    FitProgressReport,
    FitReport,
    PluginUse,
    SecondsReport,
    TuningReport,
)
from hybridrec.evaluation.report.report import Report

__all__ = [
    "LATENCY",
    "Comparison",
    "Correction",
    "CurveReport",
    "DataReport",
    "Environment",
    "FigureReport",
    "FitProgressReport",
    "FitReport",
    "Guardrail",
    "GuardrailVerdict",
    "Interval",
    "MapLegend",
    "MetricReport",
    "Number",
    "PipelineReport",
    "PluginUse",
    "RepeatsReport",
    "Report",
    "SecondsReport",
    "Section",
    "SeedSplit",
    "SegmentReport",
    "ServedByReport",
    "Spread",
    "StatisticsReport",
    "StripesReport",
    "TableReport",
    "TradeoffPoint",
    "TradeoffReport",
    "TuningReport",
    "Verdict",
    "figure_report",
]
