"""Tables of the study in docs/validity.md, and its pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RATE = ".2%"
FORMATS = {
    "users": ",.0f", "comparisons": ",", "families": ",", "trials": ",", "actions": ",", "cases": ",", "ties": ".0%",
    "skew": ".2f", "largest skew": ".2f", "randomization": RATE, "t": RATE, "Wilcoxon": RATE, "difference": RATE,
    "relative": RATE, "below": RATE, "above": RATE, "any false": RATE, "share of false": RATE, "promised": ".1%",
    "found": ".1%", "times": ".2f", "sign": "+.0f", "effective": ".0%", "clip": "g", "bias": "+.2%", "noise": ".2%",
    "error": ".1%", "stated error": ".2f", "coverage": ".1%", "of detectable": "g", "allowed": "g",
}  # fmt: skip
"""Column -> format of its numbers; other columns are text."""
SPECIAL = {("agreement", "difference"): ".2g", ("power", "difference"): ".4f", ("power", "relative"): "+.1%"}

INK, ACCENT, QUIET = "#475569", "#c2410c", "#94a3b8"


def fill(text: str, study: Mapping[str, Any]) -> str:
    """Return the text of the page with every table of the study between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, rows in study.items():
        block = f"<!-- {name} -->\n{table(name, rows) if isinstance(rows, list) else rows}\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, block=block: block, text, flags=re.S)
    return text


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Render rows as a Markdown table, with columns in the order of their first occurrence."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [
        [_cell(row.get(column), SPECIAL.get((name, column), FORMATS.get(column))) for column in columns] for row in rows
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any, form: str | None) -> str:
    if value is None:
        return ""
    return str(value) if form is None else format(value, form)


def draw(study: Mapping[str, Any], folder: Path) -> None:
    """Draw `validity-rates.svg` (false positives and coverage) and `validity-power.svg` into the folder."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "hybridrec"  # makes the SVG the same for the same numbers
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    _rates(axes[0], study["calibration"], ["randomization", "t", "Wilcoxon"], 0.05)
    axes[0].set_title("equal arms found different, at 5 %", fontsize=10)
    _rates(axes[1], study["coverage"], ["difference", "relative"], 0.95)
    axes[1].set_title("95 % intervals that hold the truth", fontsize=10)
    _save(figure, folder / "validity-rates.svg")

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    _power(axes[0], study["power"])
    _detectable(axes[1], study["power"])
    _save(figure, folder / "validity-power.svg")
    plt.close("all")


def _rates(axis: Any, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], promised: float) -> None:
    """Plot a dot for each row and column; the dots of a column are side by side.

    A band behind them extends half a percentage point to either side of the `promised` rate.
    """
    axis.axhspan(promised - 0.005, promised + 0.005, color=QUIET, alpha=0.3, linewidth=0)
    for place, (column, colour) in enumerate(zip(columns, (ACCENT, INK, QUIET), strict=False)):
        rates = [row[column] for row in rows]
        axis.plot([place + 0.5 * at / len(rates) for at in range(len(rates))], rates, "o", color=colour, markersize=4)
    axis.set_xticks([place + 0.25 for place in range(len(columns))], columns)
    # Values far beyond the frame are cut off; the table has them.
    axis.set_ylim(promised - 0.03, promised + 0.03)
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axis.grid(axis="y", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _power(axis: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    at = max({row["users"] for row in rows}, key=lambda users: sum(row["users"] == users for row in rows))
    curve = [row for row in rows if row["users"] == at]
    multiples = [row["of detectable"] for row in curve]
    axis.plot(multiples, [row["promised"] for row in curve], "-", color=QUIET, label="promised")
    axis.plot(multiples, [row["found"] for row in curve], "o", color=ACCENT, markersize=5, label="simulated")
    axis.set_title(f"power with {at} users", fontsize=10)
    axis.set_xlabel("true difference / detectable difference", fontsize=9)
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axis.legend(frameon=False, fontsize=9)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _detectable(axis: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    whole = [row for row in rows if row["of detectable"] == 1]
    axis.plot([row["users"] for row in whole], [row["relative"] for row in whole], "o-", color=INK, markersize=4)
    axis.set_xscale("log")
    axis.set_xticks([row["users"] for row in whole], [f"{row['users']:,}" for row in whole])
    axis.minorticks_off()
    axis.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    axis.set_title("difference found with 80 % power", fontsize=10)
    axis.set_xlabel("users", fontsize=9)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
