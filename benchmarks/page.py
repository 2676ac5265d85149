"""Results of benchmarks as tables, which are written into docs/performance.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def table(works: Iterable[dict[str, Any]]) -> str:
    """Render two tables for each work: the wall time per unit and CPU / wall of its ways, and its ratios, if any."""
    lines = []
    for work in works:
        clock = work.get("clock", "wall")
        lines += [
            f"**{work['work']}**",
            "",
            f"| way | {clock} for each {work['unit']} |" + " CPU / wall |" * (clock == "wall") + " |",
            "| --- | --- | --- |" + " --- |" * (clock == "wall"),
        ]
        for name, way in work["ways"].items():
            facts = "; ".join(
                f"{key} {_number(value)}" for key, value in way.items() if key not in ("wall", "cpu", "cpu_over_wall")
            )
            seconds = way[clock.lower()]
            each = _seconds(seconds / work["units"]) if seconds else ""  # of what was not timed
            share = "" if not way["cpu"] or way["cpu_over_wall"] is None else f"{way['cpu_over_wall']:.2f}"
            lines.append(f"| {name} | {each} |" + f" {share} |" * (clock == "wall") + f" {facts} |")
        if work["ratios"]:
            lines += ["", "| ratio | measured | CPU time alone | wanted |", "| --- | --- | --- | --- |"]
        for ratio in work["ratios"]:
            cpu = _number(ratio["cpu"]) if "cpu" in ratio else ""
            lines.append(f"| {ratio['what']} | {_number(ratio['value'])} | {cpu} | {ratio['wanted']} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def write_page(results: Path) -> list[str]:
    """Write the table of each JSON file in a folder between `<!-- NAME -->` and `<!-- /NAME -->` of the page.

    Returns the names of the benchmarks for which the page has no such marks.
    """
    text, unplaced = PAGE.read_text(encoding="utf-8"), []
    for file in sorted(results.glob("*.json")):
        result = json.loads(file.read_text())
        name, machine = result["benchmark"], result["machine"]
        where = f"{machine['cores']} cores, {machine['system']}, Python {machine['python']}"
        dated = f", {result['date']}" if "date" in result else ""  # of before results were dated
        told = f"`python -m benchmarks {name}`, {where}{dated}."
        block = f"<!-- {name} -->\n{told}\n\n{table(result['works'])}\n<!-- /{name} -->"
        pattern = rf"<!-- {re.escape(name)} -->.*?<!-- /{re.escape(name)} -->"
        text, placed = re.subn(pattern, lambda _, block=block: block, text, flags=re.S)
        if not placed:
            unplaced.append(name)
    PAGE.write_text(text, encoding="utf-8")
    return unplaced


def _seconds(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _number(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_number(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_number(inner) for inner in value)
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
