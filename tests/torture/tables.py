"""The tables of `docs/reliability.md`, made from the figures in `docs/reliability.json`, never by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.torture.branches import module_of
from tests.torture.data_fuzz import ENDED, cases
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
    """Return the page with the tables of these figures between their marks."""
    tables = {"torture": table(measured)} | ({"readers": readers(measured["data"])} if "data" in measured else {})
    for mark, content in tables.items():
        block = f"<!-- {mark} -->\n{content}\n<!-- /{mark} -->"
        page = re.sub(rf"<!-- {mark} -->.*?<!-- /{mark} -->", lambda _: block, page, flags=re.S)  # noqa: B023 - at once
    return page


def readers(figure: Mapping[str, Any]) -> str:
    """Return the table of the readers: the mutants that each was given and accepted, and the branches that they took.

    The branches are those of the module of the reader; below stand the modules that several share.
    """
    counts, branches = figure["counts"], dict(figure.get("branches", {}))
    names: dict[str, list[str]] = {}
    for name, case in cases().items():
        names.setdefault(case.reader, []).append(name)
    rows = ["| reader, or module | mutants | accepted | share | branches taken |", "| --- | --- | --- | --- | --- |"]
    for reader, kinds in sorted(names.items()):
        accepted, refused = (sum(counts.get(f"{kind} {end}", 0) for kind in kinds) for end in ("accepted", "refused"))
        tried = accepted + refused
        took = _share(*branches.pop(module_of(reader), (0, 0)))
        rows.append(f"| `{reader}` | {tried:,} | {accepted:,} | {_percent(accepted, tried)} | {took} |")
    rows += [f"| {module} | | | | {_share(*counted)} |" for module, counted in branches.items()]
    return "\n".join([*rows, "", f"Parquet files on which Polars ended the process: {counts.get(ENDED, 0)}."])


def _share(taken: int, of: int) -> str:
    return f"{taken} of {of} ({_percent(taken, of)})" if of else ""


def _percent(count: int, of: int) -> str:
    return f"{count / of:.0%}" if of else ""


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
        measured_too = " --coverage" if "branches" in figure else ""
        command = f"`python -m tests.torture {name} {form} --seed {figure['seed']}{measured_too}`"
        rows.append(
            f"| {name} | {attacked.promise} | {figure['tried']:,} | {figure['survived']:,} | {figure['seconds']:,} "
            f"| {command} | {figure['date']} |"
        )
    return "\n".join(rows)
