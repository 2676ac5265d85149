"""Section of the page on the tuning of a config: a figure of all trials, and a table of the chosen values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hybridrec.evaluation.report import Report, TuningReport
from hybridrec.reporting.figures import WIDTH, Scale
from hybridrec.reporting.tables import Cell, Table, number

_HEIGHT = 150.0
_TOP = 10.0


@dataclass(frozen=True, slots=True)
class Course:
    """A figure of a search: a dot for each trial, from left to right, and a line for the best value so far.

    `scale` is the horizontal scale, of the numbers of trials; `values` is the vertical scale, of the metric.
    """

    tuning: TuningReport
    lower_is_better: bool
    scale: Scale
    values: Scale

    @classmethod
    def of(cls, report: Report) -> Course | None:
        """Build the figure of a report's search; None if the config was not tuned or no trial has a value."""
        tuning = report.tuning
        values = [] if tuning is None else [value for value in tuning.trials if value is not None]
        if tuning is None or not values:
            return None
        lower = tuning.metric in report.statistics.lower_is_better
        return cls(tuning, lower, Scale.over((0, len(tuning.trials) - 1)), Scale.over(values))

    @property
    def title(self) -> str:
        """The figure's caption."""
        return f"{self.tuning.metric} by trial, on validation queries"

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        first, best = self.tuning.trials[0], self.tuning.trials[self.tuning.best]
        return (
            f"{len(self.tuning.trials)} trials; {_text(first)} as the config was written, "
            f"{_text(best)} in trial {self.tuning.best}, the best"
        )

    @property
    def bottom(self) -> float:
        """The vertical position of the axis."""
        return _TOP + _HEIGHT

    @property
    def feasible(self) -> str:
        """SVG path with a dot for each trial that satisfies the bounds."""
        return self._dots(True)

    @property
    def infeasible(self) -> str:
        """SVG path with a dot for each trial that breaks a bound."""
        return self._dots(False)

    @property
    def best_so_far(self) -> str:
        """SVG path of the best value so far, with a step at each trial that improves on it."""
        path, best = "", None
        for trial, value in self._measured(True):
            if best is None or (value < best if self.lower_is_better else value > best):
                path += f"H{self.scale(trial):.1f}V{self._y(value):.1f}" if path else self._at(trial, value)
                best = value
        return f"{path}H{self.scale(len(self.tuning.trials) - 1):.1f}" if path else ""

    @property
    def levels(self) -> list[tuple[float, str]]:
        """(vertical position, text) of each round value on the scale of the metric."""
        return [(self._height(place), text) for place, text in self.values.ticks]

    def _dots(self, feasible: bool) -> str:
        return "".join(f"{self._at(trial, value)}h0" for trial, value in self._measured(feasible))

    def _measured(self, feasible: bool) -> Iterator[tuple[int, float]]:
        trials = zip(self.tuning.trials, self.tuning.feasible, strict=True)
        for trial, (value, kept) in enumerate(trials):
            if value is not None and kept == feasible:
                yield trial, value

    def _at(self, trial: int, value: float) -> str:
        return f"M{self.scale(trial):.1f} {self._y(value):.1f}"

    def _y(self, value: float) -> float:
        return self._height(self.values(value))

    def _height(self, place: float) -> float:
        """Convert a position across the width of a figure to a vertical position in this figure."""
        return self.bottom - _HEIGHT * place / WIDTH


def chosen(tuning: TuningReport) -> Table:
    """Build the table of the values that the search chose, with the importance of each option."""
    table = Table("Chosen values", ["option", "value", "importance"])
    for path, value in tuning.values.items():
        share = tuning.importance.get(path)
        text = f"{value:.4g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
        table.rows.append([Cell(path), Cell(text), number(share, "{:.2f}")._replace(share=share)])
    return table


def _text(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
