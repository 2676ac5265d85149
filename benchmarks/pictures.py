"""Picture of Song2Vec from a finished run, written to docs/song2vec.svg: its loss, clusters, vectors and map.

    pip install -e '.[word2vec,map,docs]'
    hybridrec run configs/song2vec-setlists.yaml --set refit=all
    hybridrec map runs/song2vec-setlists-* song2vec --clusters cluster-draw --drawn 10
    python -m benchmarks.pictures runs/song2vec-setlists-*

All data comes from the run: `fits` and `figures` of report.json, and its map.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from benchmarks.readme import ROOT
from hybridrec import Run
from hybridrec.evaluation.report import CurveReport, FigureReport, StripesReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = ROOT / "docs" / "song2vec.svg"
VECTORS, CLUSTERS = "song2vec", "cluster-draw"
F = TypeVar("F", CurveReport, StripesReport)


def main(folder: str, picture: Path = PICTURE) -> None:
    """Draw the picture from a run whose map was drawn; raises SystemExit if the run lacks a figure."""
    import matplotlib.pyplot as plt

    run = Run.open(folder)
    if VECTORS not in run.maps:
        raise SystemExit(f"{folder} has no map: hybridrec map {folder} {VECTORS} --clusters {CLUSTERS} --drawn 10")
    plt.rcParams["svg.hashsalt"] = "hybridrec"  # makes the SVG the same for the same numbers
    sketch = plt.figure(figsize=(11, 5.8), layout="constrained")
    sketch.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    grid = sketch.add_gridspec(2, 3, height_ratios=[1, 1.1], width_ratios=[1, 1, 1.25])
    draw_loss(sketch.add_subplot(grid[0, 0]), run)
    draw_curve(sketch.add_subplot(grid[0, 1]), of_kind(CurveReport, run.report.figures.get(CLUSTERS, [])))
    draw_stripes(sketch.add_subplot(grid[1, :2]), of_kind(StripesReport, run.report.figures.get(VECTORS, [])))
    draw_map(sketch.add_subplot(grid[:, 2]), run)
    sketch.savefig(picture, metadata={"Date": None})
    plt.close(sketch)
    print(f"wrote {picture}")


def of_kind(kind: type[F], figures: Sequence[FigureReport]) -> F:
    """Return the first figure of this class; raises SystemExit if there is none."""
    for figure in figures:
        if isinstance(figure, kind):
            return figure
    raise SystemExit(f"the run has no {kind.__name__} of {VECTORS} or {CLUSTERS}: run configs/song2vec-setlists.yaml")


def draw_loss(axes: Axes, run: Run) -> None:
    """Draw the loss of each epoch."""
    fits = [fit.progress for fit in run.report.fits if (fit.label, fit.level) == (VECTORS, "full")]
    for progress in [progress for progress in fits if progress is not None][:1]:
        axes.plot(progress.steps, progress.numbers["loss"], color="#c2410c")
    _name(axes, "Loss by epoch", xlabel="epoch", ylabel="loss per play")
    _plain(axes)


def draw_curve(axes: Axes, curve: CurveReport) -> None:
    """Draw the within-cluster curve with the chosen point."""
    x, y = np.array(curve.points, float).T
    axes.plot(x, y, "o-", color="#c2410c", markersize=3)
    if curve.chosen is not None:
        axes.plot(x[curve.chosen], y[curve.chosen], "o", color="#c2410c", markersize=9)
        axes.annotate(f"{x[curve.chosen]:g}", (x[curve.chosen], y[curve.chosen]), (8, 6), textcoords="offset points")
    _name(axes, curve.title, xlabel=curve.x, ylabel=curve.y)
    _plain(axes)


def draw_stripes(axes: Axes, stripes: StripesReport) -> None:
    """Draw the vectors as rows of stripes, each below its name."""
    vectors = np.array(stripes.vectors, float)
    strongest = np.percentile(np.abs(vectors), 98)
    for row, vector in enumerate(vectors):
        axes.imshow(
            vector[None], extent=(0, len(vector), row + 0.95, row + 0.4), aspect="auto", cmap="RdBu_r",
            vmin=-strongest, vmax=strongest, interpolation="nearest",
        )  # fmt: skip
        axes.text(0, row + 0.34, stripes.names[row], fontsize=9)
        axes.text(len(vector), row + 0.34, stripes.texts[row], fontsize=9, ha="right", color="#5b6270")
    _name(axes, stripes.title, xlim=(0, vectors.shape[1]), ylim=(len(vectors), 0))
    axes.axis("off")


def draw_map(axes: Axes, run: Run) -> None:
    """Draw the map of the songs; songs without a group are grey."""
    frame, legend = run.item_map(VECTORS)
    x, y, groups = (frame[name].to_numpy() for name in ("x", "y", "group"))
    axes.scatter(x[groups < 0], y[groups < 0], s=8, color="#c9cdd4")
    axes.scatter(x[groups >= 0], y[groups >= 0], s=26, c=groups[groups >= 0] % 10, cmap="tab10", vmin=0, vmax=9)
    _name(axes, legend.colours.capitalize())
    axes.set_aspect("equal")
    axes.axis("off")


def _name(axes: Axes, title: str, **more: Any) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.set(**more)


def _plain(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("name the run: python -m benchmarks.pictures runs/song2vec-setlists-*")
    main(sys.argv[1])
