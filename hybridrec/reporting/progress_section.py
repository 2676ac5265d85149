"""Section of the page with the progress of fits: a figure of each number that components report while they learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from hybridrec.evaluation.report import FitReport, Number
from hybridrec.reporting.figures import Plane, Scale


@dataclass(frozen=True, slots=True)
class Line:
    """The values of one number that a fit reported, one for each of `steps`; None where it is missing.

    `of` is the number of steps of the whole fit; `kind` (`blend` or `single`) selects the colour.
    """

    label: str
    kind: str
    steps: Sequence[int]
    values: Sequence[Number]
    of: int

    @property
    def text(self) -> str:
        """The line in words: its first and its last value, and the steps that were done."""
        first, *_, last = [f"{value:.4g}" for value in self.values if value is not None] * 2
        return f"{self.label}: {first} → {last} after {self.steps[-1]} of {self.of} steps"


@dataclass(frozen=True, slots=True)
class Series(Plane):
    """A figure of one number that the fits of a component reported, with a line for each fit."""

    title: str
    lines: Sequence[Line]

    @classmethod
    def all_of(cls, fits: Sequence[FitReport]) -> list[Self]:
        """Build a figure for each component and each number that its fits reported, in the order of the fits."""
        lines: dict[tuple[str, str], list[Line]] = {}
        for fit in fits:
            if fit.progress is None:
                continue
            repeat = f", repeat {fit.repeat}" if fit.repeat > 1 else ""
            label, kind = f"{fit.fold}, {fit.level}{repeat}", "blend" if fit.level == "full" else "single"
            for name, values in fit.progress.numbers.items():
                told = [place for place, value in enumerate(values) if value is not None]
                if told:
                    # A fit may search for its length first, and count its steps from 1 again.
                    span = slice(told[0], told[-1] + 1)
                    steps = fit.progress.steps[span]
                    line = Line(label, kind, steps, values[span], max(fit.progress.of, steps[-1]))
                    lines.setdefault((fit.label, name), []).append(line)
        return [cls.of(f"{label}: {name} by step", drawn) for (label, name), drawn in lines.items()]

    @classmethod
    def of(cls, title: str, lines: Sequence[Line]) -> Self:
        """Build a figure of lines that each have at least one value.

        The horizontal scale reaches to the last planned step, even if the fits ended earlier.
        """
        across = Scale.over((step for line in lines for step in (line.steps[0], line.of)), whole=True)
        upwards = Scale.over(value for line in lines for value in line.values if value is not None)
        # The colour of what is evaluated is drawn last, on top.
        return cls(across, upwards, title, sorted(lines, key=lambda line: line.kind, reverse=True))

    def path(self, line: Line) -> str:
        """Draw a line as an SVG path, interrupted where a value is missing; a point without neighbours is a dot."""
        path, begins = "", True
        for step, value in zip(line.steps, line.values, strict=True):
            if value is not None:
                path += (
                    f"{'M' if begins else 'L'}{self.across(step):.1f} {self.down(value):.1f}{'h0' if begins else ''}"
                )
            begins = value is None
        return path

    @property
    def description(self) -> str:
        """The figure in words, for readers who cannot see it."""
        return f"{self.title}: " + "; ".join(line.text for line in self.lines)
