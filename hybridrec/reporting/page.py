"""The page `report.html`, which shows a finished run: one self-contained file that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hybridrec.data.queries import KNOWN_FIELDS
from hybridrec.evaluation.guardrails import reason
from hybridrec.evaluation.report import PipelineReport, Report
from hybridrec.evaluation.samples import ALL
from hybridrec.evaluation.summary import deciding, opening
from hybridrec.reporting import tables
from hybridrec.reporting import tuning_section as tuning
from hybridrec.reporting.component_section import component_figures
from hybridrec.reporting.curves import Curve
from hybridrec.reporting.figures import WIDTH, Estimate, Intervals, Scale
from hybridrec.reporting.map_section import SIZE, maps
from hybridrec.reporting.progress_section import Series
from hybridrec.reporting.query_diffs import MANY, PLACES, Differences
from hybridrec.runs.manifest import replace_file
from hybridrec.runs.run import Run

PAGE = "report.html"


def write(run: Run) -> Path:
    """Write `report.html` into the run's folder and return its path. Raises StoreError if the run is damaged."""
    text = render(run)
    return replace_file(run.folder, PAGE, lambda path: path.write_text(text, encoding="utf-8"))


def render(run: Run) -> str:
    """Render the page of a run as HTML. Every text is escaped, and the page forbids every script but its own."""
    environment = _environment()
    report, chart = run.report, Chart.of(run.report)
    script = _source(environment, "table.js")
    return environment.get_template("report.html").render(
        run=run,
        report=report,
        opening=opening(report),
        metric=chart.metric,
        metric_figures=chart.metrics(),
        segmentations=[(segmenter, chart.segments(segmenter)) for segmenter in report.segmenters],
        default_segments=report.segmenters == [KNOWN_FIELDS],
        curves=[(curve, Curve.all_of(curve, chart.metric)) for curve in report.tradeoffs],
        differences=_differences(run),
        tables=tables,
        reason=reason,
        components=component_figures(report),
        maps=maps(run),
        map_size=SIZE,
        segments=list(next(iter(report.pipelines.values())).segments),
        learned_texts={
            name: json.dumps(learned, indent=1, ensure_ascii=False)
            for name, learned in tables.other_learned(report).items()
        },
        course=tuning.Course.of(report),
        chosen=None if report.tuning is None else tuning.chosen(report.tuning),
        series=Series.all_of(report.fits),
        places=PLACES,
        many=MANY,
        width=WIDTH,
        style=_source(environment, "page.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


@cache
def _environment() -> Environment:
    """Return the environment of Jinja that loads and compiles the templates, the same one at every call."""
    return Environment(
        loader=PackageLoader("hybridrec.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(environment: Environment, name: str) -> Markup:
    """Read a style sheet or script from the folder of templates, for insertion into the page without escapes."""
    assert environment.loader is not None
    return Markup(environment.loader.get_source(environment, name)[0])


def _differences(run: Run) -> list[object]:
    """Return details of each declared pair: a histogram over users, and the queries with the largest gains and losses.

    If no pair was declared, the details of the comparisons with components alone are returned.
    """
    pipelines = run.report.pipelines
    rows = deciding(run.report)
    declared = [row for row in rows if not pipelines[row.control].single] or rows
    tested = [row for row in declared if row.verdict != "not tested"]
    if not tested:
        return []
    differences = Differences(run)
    return [difference for difference in map(differences.of, tested) if difference is not None]


@dataclass(frozen=True, slots=True)
class Chart:
    """Builder of the figures that show the means of a report; `metric` is the first metric, which decides."""

    report: Report
    metric: str
    controls: frozenset[str]

    @classmethod
    def of(cls, report: Report) -> Chart:
        """Prepare the charts of a report: take its first metric and the names of its controls."""
        metric = next(iter(next(iter(report.pipelines.values())).metrics))
        controls = {row.control for row in report.comparison if not report.pipelines[row.control].single}
        return cls(report, metric, frozenset(controls))

    def metrics(self) -> list[Intervals]:
        """Build for every metric a figure of all arms' means over all queries, with their intervals."""
        names = dict.fromkeys(metric for arm in self.report.pipelines.values() for metric in arm.metrics)
        estimates = [(name, self._estimates(name, ALL)) for name in names]
        return [Intervals.of(name, rows) for name, rows in estimates if rows]

    def segments(self, segmenter: str) -> list[Intervals]:
        """Build for all queries and for every segment of a segmenter a figure of all arms' means of `metric`.

        The figures share one scale. The list is empty if the segmenter makes fewer than two segments.
        """
        names = {
            name: segment.segmenter
            for arm in self.report.pipelines.values()
            for name, segment in arm.segments.items()
            if segment.segmenter in ("", segmenter)
        }
        by_segment = {
            tables.segment_title(name, made_by): self._estimates(self.metric, name) for name, made_by in names.items()
        }
        ends = [end for rows in by_segment.values() for row in rows for end in row.ends]
        if len(names) <= 2 or not ends:
            return []
        scale = Scale.over(ends)
        return [Intervals.of(title, rows, scale) for title, rows in by_segment.items() if rows]

    def _estimates(self, metric: str, segment: str) -> list[Estimate]:
        rows = []
        for name, arm in self.report.pipelines.items():
            number = arm.segments[segment].metrics.get(metric) if segment in arm.segments else None
            if number is not None and number.mean is not None:
                rows.append(Estimate(name, self._kind(name, arm), number.mean, number.ci95))
        return rows

    def _kind(self, name: str, arm: PipelineReport) -> str:
        if arm.single:
            return "single"
        return "control" if name in self.controls else "blend"
