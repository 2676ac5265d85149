"""Tables of the page: arms, comparisons, guardrails, repeats, learned weights, fits, seconds and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from hybridrec.evaluation import summary
from hybridrec.evaluation.report import (
    Comparison,
    FitProgressReport,
    Guardrail,
    MetricReport,
    Number,
    RepeatsReport,
    Report,
    TradeoffReport,
)
from hybridrec.evaluation.summary import cell, deciding, verdict_columns, verdict_title
from hybridrec.runs.run import Run


def guardrails(rails: Sequence[Guardrail]) -> Table:
    """Build the table of guardrails: a row for every guardrail of every pair, losses relative to the control."""
    headers = ["variant", "control", "guardrail", "loss", "at least", "at most", "accepted", "verdict"]
    rows = [
        [
            Cell(rail.variant),
            Cell(rail.control),
            Cell(rail.metric),
            _percent(rail.loss),
            *(_percent(bound) for bound in rail.bounds or (None, None)),
            _percent(rail.margin),
            Cell(rail.verdict),
        ]
        for rail in rails
    ]
    return Table("Losses against the control, with one-sided 95 % bounds", headers, rows)


def seed_splits(repeats: RepeatsReport) -> Table:
    """Build the table of every difference over repeats, with its errors due to users and to seeds."""
    headers = ["variant", "control", "metric", "difference", "95 % interval", "error from users", "error from seeds"]
    rows = [
        [
            Cell(split.variant),
            Cell(split.control),
            Cell(split.metric),
            number(split.delta, "{:+.4f}"),
            Cell("") if split.ci95 is None else Cell("{:+.4f} … {:+.4f}".format(*split.ci95), split.ci95[0]),
            number(_root(split.users_variance)),
            number(_root(split.seeds_variance)),
            Cell("")
            if split.seeds_share is None
            else Cell(f"{100 * split.seeds_share:.0f} %", split.seeds_share, split.seeds_share),
        ]
        for split in repeats.comparison
    ]
    caption = "Differences for new users and new seeds, and what each adds to the variance"
    return Table(caption, [*headers, "share of seeds"], rows)


def spreads(repeats: RepeatsReport) -> Table:
    """Build the table of means: a row for each arm and metric, a column for each repeat and for their deviation."""
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


class Cell(NamedTuple):
    """A cell of a table: its text, the number by which rows are sorted, and a share (0 to 1) drawn as bar or shade."""

    text: str
    value: float | None = None
    share: float | None = None


Row: TypeAlias = list[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption; the first cell of a row is its header."""

    caption: str
    headers: Sequence[str]
    rows: list[Row] = field(default_factory=list)

    def numeric(self, column: int) -> bool:
        """Return True if the column holds numbers, which are aligned to the right."""
        return any(row[column].value is not None for row in self.rows)


def number(value: float | None, text: str = "{:.4f}") -> Cell:
    """Format a number with the format string `text` as a cell; the cell is empty for None."""
    return Cell("") if value is None else Cell(text.format(value), value)


def metric_cell(metric: MetricReport | None) -> Cell:
    """Format a mean with half the width of its interval as a cell; the cell is empty for None."""
    return Cell(cell(metric), None if metric is None else metric.mean)


def arms_by_metric(report: Report, segment: str) -> Table:
    """Build the table of the means of every arm (rows) in every metric (columns), over the queries of a segment."""
    arms = {name: arm.segments[segment] for name, arm in report.pipelines.items() if segment in arm.segments}
    metrics = list(dict.fromkeys(metric for arm in arms.values() for metric in arm.metrics))
    queries = next(iter(arms.values())).queries
    rows = [[Cell(name), *(metric_cell(arm.metrics.get(m)) for m in metrics)] for name, arm in arms.items()]
    headers = ["pipeline", *metrics]
    if segment == "all" and any(arm.borda is not None for arm in report.pipelines.values()):
        rows = [[*row, number(report.pipelines[row[0].text].borda, "{:g}")] for row in rows]
        headers.append("borda")
    title = segment_title(segment, next(iter(arms.values())).segmenter)
    return Table(f"{title} ({queries})", headers, rows)


def tradeoff(measured: TradeoffReport) -> Table:
    """Build the table of a trade-off: a row for each value of the option, a column for each metric."""
    metrics = list(dict.fromkeys(metric for point in measured.points for metric in point.metrics))
    rows = [
        [Cell(f"{point.value:g}", point.value), *(metric_cell(point.metrics.get(m)) for m in metrics)]
        for point in measured.points
    ]
    return Table(f"{measured.pipeline}: {measured.vary}", [measured.vary, *metrics], rows)


def segment_title(segment: str, segmenter: str) -> str:
    """Describe a segment in words, with a capital letter: "Queries that know items and tags"."""
    title = summary.segment_title(segment, segmenter)
    return title[0].upper() + title[1:]


def by_segment(report: Report, segmenter: str) -> Table:
    """Build the table of the means of every arm in every segment of one segmenter: a row for each segment and arm."""
    segments = summary.of_segmenter(report, segmenter)
    metrics = list(dict.fromkeys(metric for _, _, segment in segments for metric in segment.metrics))
    rows = [
        [
            Cell(name),
            Cell(str(segment.queries), segment.queries),
            Cell(arm),
            *(metric_cell(segment.metrics.get(metric)) for metric in metrics),
        ]
        for name, arm, segment in segments
    ]
    return Table(f"By {segmenter}: every metric", ["segment", "queries", "pipeline", *metrics], rows)


def served_by(report: Report, metric: str) -> Table:
    """Build the table of the generators and fallbacks that served the queries of each pipeline.

    Each row has the number and the share of the queries served, and the mean of `metric` over them.
    """
    rows = [
        [
            Cell(name),
            Cell(served_by),
            Cell(str(served.queries), served.queries),
            Cell(f"{100 * served.share:.1f} %", served.share, served.share),
            metric_cell(served.metrics.get(metric)),
        ]
        for name, arm in report.pipelines.items()
        for served_by, served in arm.served_by.items()
    ]
    return Table("Who served the queries of each pipeline", ["pipeline", "served by", "queries", "share", metric], rows)


def ceilings(report: Report) -> Table:
    """Build the table of candidate recall by pipeline and target: the share of the relevant ids that were proposed.

    It is the upper limit of the recall of slates, since re-rankers only order the proposed ids.
    """
    rows = [
        [Cell(name), Cell(target), Cell(f"{100 * share:.1f} %", share, share)]
        for name, arm in report.pipelines.items()
        for target, share in arm.candidate_recall.items()
        if share is not None
    ]
    return Table("Share of the relevant ids that any generator proposed", ["pipeline", "target", "found"], rows)


def verdict(report: Report) -> Table:
    """Build the table of the comparisons in the first metric over all queries, on which the verdict rests."""
    columns = verdict_columns(report)
    rows = [[Cell(column.text(row), column.value(row)) for column in columns] for row in deciding(report)]
    return Table(verdict_title(report), [column.header for column in columns], rows)


def comparisons(rows: Sequence[Comparison]) -> Table:
    """Build a table with a row for each of these comparisons."""
    headers = ["variant", "control", "metric", "segment", "difference", "relative", "95 % interval", "p", "p adjusted"]
    headers += ["p (t test)", "effect size", "detectable", "wins", "ties", "losses", "verdict", "users to decide"]
    return Table("Every comparison, paired by query", headers, [_comparison(row) for row in rows])


def _comparison(row: Comparison) -> Row:
    interval = Cell("") if row.ci95 is None else Cell("{:+.4f} … {:+.4f}".format(*row.ci95), row.ci95[0])
    return [
        Cell(row.variant),
        Cell(row.control),
        Cell(row.metric),
        Cell(row.segment),
        number(row.delta, "{:+.4f}"),
        Cell("") if row.relative is None else Cell(f"{100 * row.relative:+.1f} %", row.relative),
        interval,
        *(_p(p) for p in (row.p_value, row.p_adjusted, row.p_t)),
        number(row.effect_size, "{:+.2f}"),
        number(row.detectable),
        *(number(count, "{}") for count in (row.wins, row.ties, row.losses)),
        Cell(row.verdict),
        number(row.units_to_decide, "{:,}"),
    ]


def _p(value: float | None) -> Cell:
    return Cell("< 0.0001", value) if value is not None and value < 0.0001 else number(value)


def learned_weights(report: Report) -> list[Table]:
    """Build the tables of the weights of blends that learned a weight for each segment and component.

    There is a table for each pipeline and target, with a row for each segment and a column for each component. A cell
    has the mean and the range of the weight over folds. The last column counts the folds in which the guard of a blend
    replaces it by the best single component.
    """
    tables = []
    for name, arm in report.pipelines.items():
        by_target: dict[str, list[Mapping[str, SegmentWeights]]] = {}
        for fold in arm.learned.values():
            for target, state in fold.items():
                by_segment = _weights(state)
                if by_segment is not None:
                    by_target.setdefault(target, []).append(by_segment)
        for target, folds in by_target.items():
            caption = f"{name}: learned weights for {target}, mean over folds (lowest to highest)"
            labels = list(
                dict.fromkeys(label for fold in folds for learned in fold.values() for label in learned.weights)
            )
            segments = list(dict.fromkeys(segment for fold in folds for segment in fold))
            rows = [_weights_row(s, [fold[s] for fold in folds if s in fold], labels) for s in segments]
            tables.append(Table(caption, ["segment", *labels, "guarded"], rows))
    return tables


class SegmentWeights(NamedTuple):
    """The weights that a blend learned for a segment, by component label.

    `guarded` is True if the best single component replaces the blend in this segment.
    """

    weights: Mapping[str, float]
    guarded: bool


def _weights_row(segment: str, folds: Sequence[SegmentWeights], labels: Sequence[str]) -> list[Cell]:
    guarded = sum(learned.guarded for learned in folds)
    weights = (_weight([learned.weights.get(label, 0) for learned in folds]) for label in labels)
    return [Cell(segment), *weights, Cell(f"{guarded} of {len(folds)} folds", guarded)]


def other_learned(report: Report) -> dict[str, Any]:
    """Return all that blends learned besides weights by segment: pipeline -> fold -> target -> learned values."""
    learned_by_pipeline: dict[str, Any] = {}
    for name, arm in report.pipelines.items():
        for fold, by_target in arm.learned.items():
            others = {target: learned for target, learned in by_target.items() if _weights(learned) is None}
            if others:
                learned_by_pipeline.setdefault(name, {})[fold] = others
    return learned_by_pipeline


def _weights(learned: Any) -> dict[str, SegmentWeights] | None:
    """Return the learned weights by segment, or None if the blend learned something else.

    `learned` holds weights if it maps every segment to a mapping of labels to numbers, or to a mapping that has such a
    mapping under the key `weights`.
    """
    if not isinstance(learned, dict) or not all(isinstance(entry, dict) for entry in learned.values()):
        return None
    by_segment = {
        segment: SegmentWeights(entry.get("weights", entry), bool(entry.get("guarded", False)))
        for segment, entry in learned.items()
    }
    numbers = (weight for own in by_segment.values() for weight in own.weights.values())
    return by_segment if all(isinstance(weight, int | float) for weight in numbers) else None


def _weight(weights: Sequence[float]) -> Cell:
    mean = sum(weights) / len(weights)
    spread = f" ({min(weights):.2f}–{max(weights):.2f})" if len(weights) > 1 else ""
    return Cell(f"{mean:.2f}{spread}", mean, min(max(mean, 0.0), 1.0))


def fits(report: Report) -> Table:
    """Build the table of all fits of the run, in order of execution."""
    rows = [
        [Cell(f.label), Cell(f"{f.component} {f.version}"), Cell(f.fold), Cell(f.level),
         Cell("from the store") if f.cached else Cell(f"{f.seconds:.2f}", f.seconds), Cell(_reported(f.progress)),
         Cell(f.key[:12])]
        for f in report.fits
    ]  # fmt: skip
    headers = ["label", "component", "fold", "level", "seconds", "reported", "key in the store"]
    return Table("Fits", headers, rows)


def _reported(progress: FitProgressReport | None) -> str:
    """Describe the progress of a fit: its steps, and the first and last value of each number that it reported."""
    if progress is None:
        return ""
    finite = {name: [x for x in numbers if x is not None] for name, numbers in progress.numbers.items()}
    ends = [f"{name} {numbers[0]:.4g} → {numbers[-1]:.4g}" for name, numbers in finite.items() if numbers]
    return ", ".join([f"{progress.steps[-1]} of {progress.of} steps", *ends])


def stages(report: Report) -> Table:
    """Build the table of the seconds that each stage of the run took."""
    # The page is written before the last seconds are known, and shall be the same when it is written again.
    by_stage = report.seconds.model_dump(exclude={"write", "other", "total"})
    longest = max(*by_stage.values(), 1e-9)
    rows = [
        [Cell(stage), Cell(f"{seconds:.2f}", seconds, min(seconds / longest, 1.0))]
        for stage, seconds in by_stage.items()
    ]
    caption = "Seconds by stage (those of writing are in report.json)"
    return Table(caption, ["stage", "seconds"], rows)


def provenance(run: Run) -> list[Table]:
    """Build two tables of the run's environment: one of its lock and machine, and one of the installed packages."""
    report, lock = run.report, run.lock
    facts = {
        "config hash": report.config_hash,
        "data fingerprint": report.data.fingerprint,
        "seed": lock["seed"],
        "threads": lock["threads"],
        "cores": report.environment.cores,
        "python": report.environment.python,
        "platform": report.environment.platform,
    }
    packages = report.environment.packages.items()
    return [
        Table("Lock and machine", ["what", "value"], [[Cell(fact), Cell(str(value))] for fact, value in facts.items()]),
        Table("Packages", ["package", "version"], [[Cell(name), Cell(version)] for name, version in packages]),
    ]
