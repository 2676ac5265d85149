"""The tables of `docs/reliability.md`, made from the figures in `docs/reliability.json`, never by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.torture.parts import PARTS

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FIGURES = DOCS / "reliability.md", DOCS / "reliability.json"


def figures() -> dict[str, dict[str, Any]]:
    """Return the figures that were measured, by part."""
    measured: dict[str, dict[str, Any]] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return measured


def write(new: Mapping[str, Mapping[str, Any]]) -> None:
    """Add figures to those of earlier runs, and write the page anew."""
    measured = figures() | {name: {**figure, "seconds": round(figure["seconds"])} for name, figure in new.items()}
    FIGURES.write_text(json.dumps(dict(sorted(measured.items())), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), measured), encoding="utf-8")


def filled(page: str, measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page with the table of these figures between its marks."""
    return re.sub(
        r"<!-- torture -->.*?<!-- /torture -->",
        lambda _: f"<!-- torture -->\n{table(measured)}\n<!-- /torture -->",
        page,
        flags=re.S,
    )


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table of the parts: what was promised, tried and survived, with the command that repeats it."""
    rows = [
        "| part | promise | tried | survived | CPU s | command | date |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, attacked in PARTS.items():
        if (figure := measured.get(name)) is None:
            continue
        form = "--long" if figure["tried"] >= attacked.long else f"--tries {figure['tries']}"
        command = f"`python -m tests.torture {name} {form} --seed {figure['seed']}`"
        rows.append(
            f"| {name} | {attacked.promise} | {figure['tried']:,} | {figure['survived']:,} | {figure['seconds']:,} "
            f"| {command} | {figure['date']} |"
        )
    return "\n".join(rows)
