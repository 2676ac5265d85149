"""Generation of the measured tables of README and docs, and of the README's picture, from finished runs.

    pip install -e '.[models,docs]'
    hybridrec run configs/quickstart.yaml && python benchmarks/readme.py runs/quickstart-*

On every page, a run's table goes between `<!-- NAME -->` and `<!-- /NAME -->`, where NAME is the experiment's name. The
table of what served its queries goes between `<!-- NAME served-by -->` and `<!-- /NAME served-by -->`. In the same way
`NAME tradeoffs` marks the run's trade-offs, `NAME tags` its table in the first metric of tags, and `NAME pairs` the
comparison of all pairs of its blends. The run named `quickstart` is drawn, too.
"""

from __future__ import annotations

import re
import sys
from itertools import combinations
from pathlib import Path

from hybridrec.engine.seeds import label_rng
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import Comparison, MetricReport, Report
from hybridrec.evaluation.samples import EvaluatedArm
from hybridrec.evaluation.summary import cell
from hybridrec.runs.run import Run

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - {ROOT / "docs" / "performance.md"}))
"""Pages with tables of runs, without `docs/performance.md`, which the benchmarks write themselves."""
PICTURE = ROOT / "docs" / "quickstart.svg"


def main(folders: list[str]) -> None:
    """Rewrite the pages from the given runs."""
    for folder in folders:
        run = Run.open(folder)
        report = run.report
        tables = {report.name: table, f"{report.name} served-by": served_by, f"{report.name} tradeoffs": tradeoffs}
        if any(metric.startswith(TAGS) for metric in metrics(report)):
            tables[f"{report.name} tags"] = tag_table
        blocks = {mark: make(report) for mark, make in tables.items()} | {f"{report.name} pairs": pairs(run)}
        pages = [page for page in PAGES if write(page, blocks)]
        names = ", ".join(str(page.relative_to(ROOT)) for page in pages)
        print(f"{report.name}: {f'written to {names}' if pages else 'no page has a place for it'}")
        if report.name == "quickstart":
            draw(report)


def write(page: Path, blocks: dict[str, str]) -> int:
    """Write each block between its marks on a page; return the number of places that were filled."""
    text, places = page.read_text(encoding="utf-8"), 0
    for mark, block in blocks.items():
        pattern = rf"<!-- {re.escape(mark)} -->.*?<!-- /{re.escape(mark)} -->"
        whole = f"<!-- {mark} -->\n{block}\n<!-- /{mark} -->"
        text, replaced = re.subn(pattern, lambda _, whole=whole: whole, text, flags=re.S)
        places += replaced
    page.write_text(text, encoding="utf-8")
    return places


def metrics(report: Report) -> list[str]:
    """Return the names of the metrics of a run, in their order."""
    return list(next(iter(report.pipelines.values())).metrics)


def tag_table(report: Report) -> str:
    """Render the table that `table` makes, in the first metric of tags."""
    return table(report, next(metric for metric in metrics(report) if metric.startswith(TAGS)))


def table(report: Report, metric: str | None = None) -> str:
    """Render a table of pipelines x segments in a metric, by default the first.

    The last column compares the last blend with the pipeline of each row.
    """
    metric = metric or metrics(report)[0]
    segments = list(next(iter(report.pipelines.values())).segments)
    blend = [name for name, arm in report.pipelines.items() if not arm.single][-1]
    shown = segments if len(segments) > 2 else ["all"]
    head = ["pipeline", *(f"{metric}, {segment}" for segment in shown), f"`{blend}` against it"]
    rows = [head, ["---"] * len(head)]
    for name, arm in report.pipelines.items():
        cells = [figure(MetricReport(mean=arm.segments[segment].metrics[metric].mean)) for segment in shown]
        label = f"**{name}**" if name == blend else f"{name} (alone)" if arm.single else name
        rows.append([label, *cells, _against(report, name, blend, metric)])
    return markdown(rows)


def served_by(report: Report) -> str:
    """Render a table of what served the queries of every pipeline, with the quality of each."""
    metric = metrics(report)[0]
    head = ["pipeline", "served_by", "queries", "share", metric]
    rows = [head, ["---"] * len(head)]
    for name, arm in report.pipelines.items():
        label = f"{name} (alone)" if arm.single else name
        rows.append([label, "all", str(arm.queries), "100.0 %", cell(arm.metrics[metric])])
        for served_by, group in arm.served_by.items():
            share = f"{100 * group.share:.1f} %"
            rows.append(["", f"`{served_by}`", str(group.queries), share, cell(group.metrics[metric])])
    return markdown(rows)


def tradeoffs(report: Report) -> str:
    """Render a table for each trade-off, with every metric at every value of the option."""
    tables = []
    for curve in report.tradeoffs:
        metrics = list(curve.points[0].metrics)
        head = [f"`{curve.vary}` of {curve.pipeline}", *metrics]
        rows = [[f"{point.value:g}", *(figure(point.metrics[name]) for name in metrics)] for point in curve.points]
        tables.append(markdown([head, ["---"] * len(head), *rows]))
    return "\n\n".join(tables)


def pairs(run: Run) -> str:
    """Render a table of every blend with its first metric and the blends from which it does not differ significantly.

    p-values are corrected over all pairs (Holm).
    """
    metric = next(iter(next(iter(run.report.pipelines.values())).metrics))
    names = [name for name, arm in run.report.pipelines.items() if not arm.single]
    frame, sample = run.per_query(), run.sample()
    values = {name: frame.filter(frame["pipeline"] == name)[metric].to_numpy() for name in names}
    arms = {name: EvaluatedArm(name, sample, {metric: values[name]}) for name in names}
    rows = compare(arms, list(combinations(names, 2)), [metric], label_rng(0, "pairs"))
    close = [{row.control, row.variant} for row in rows if row.segment == "all" and row.verdict == "undecided"]
    table = [["pipeline", metric, "not told apart from"], ["---"] * 3]
    for name in names:
        others = [other for other in names if {name, other} in close and other != name]
        table.append([name, cell(run.report.pipelines[name].metrics[metric]), ", ".join(others)])
    return markdown(table)


def markdown(rows: list[list[str]]) -> str:
    """Render rows as a Markdown table; the second row is the line below the head."""
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def figure(number: MetricReport) -> str:
    """Format a mean with its interval; a mean without one gets only the digits that all machines agree on."""
    if number.mean is None or number.ci95 is not None:
        return cell(number)
    return f"{number.mean:.{DIGITS}f}"


def _against(report: Report, control: str, variant: str, metric: str) -> str:
    row = _row(report, report.pipelines[control].duplicate_of or control, variant, metric)
    if row is None or row.relative is None or row.relative_ci95 is None or row.p_adjusted is None:
        return ""
    low, high = row.relative_ci95
    return f"{100 * row.relative:+.1f} % ({100 * low:+.1f} to {100 * high:+.1f}), p = {row.p_adjusted:.4f}"


def _row(report: Report, control: str, variant: str, metric: str, segment: str = "all") -> Comparison | None:
    wanted = (control, variant, metric, segment)
    rows = (row for row in report.comparison if (row.control, row.variant, row.metric, row.segment) == wanted)
    return next(rows, None)


def draw(report: Report) -> None:
    """Draw every arm's interval in every segment, the best arm on top, into docs/quickstart.svg."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "hybridrec"  # makes the SVG the same for the same numbers
    arms = sorted(report.pipelines.items(), key=lambda item: item[1].segments["all"].metrics[METRIC].mean or 0)
    segments = list(arms[0][1].segments)
    figure, axes = plt.subplots(1, len(segments), figsize=(11, 3.2), sharey=True, layout="constrained")
    for axis, segment in zip(axes, segments, strict=True):
        for place, (name, arm) in enumerate(arms):
            measured = arm.segments[segment].metrics[METRIC]
            if measured.mean is None or measured.ci95 is None:
                continue
            low, high = measured.ci95
            colour = "#c2410c" if not arm.single and name != "control" else "#475569"
            error = [[measured.mean - low], [high - measured.mean]]
            axis.errorbar(measured.mean, place, xerr=error, fmt="o", color=colour, capsize=3)
        axis.set_title("all queries" if segment == "all" else f"knows {segment}", fontsize=10)
        axis.grid(axis="x", alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(arms)), [name for name, _ in arms])
    figure.supxlabel(f"{METRIC} with 95 % interval", fontsize=10)
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


DIGITS = 3
"""Number of digits of a mean without an interval; the fourth differs between processors (docs/validity.md)."""
METRIC = "ndcg@20"
TAGS = "tags/"

if __name__ == "__main__":
    main(sys.argv[1:])
