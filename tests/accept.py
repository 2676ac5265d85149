"""Names that users and plugins see, as text: `python -m tests.accept` writes them down, a test compares.

A change of any of these files is a change of the interface: it is made on purpose, and seen in review.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import hybridrec
from docs import reference
from hybridrec.config.json_schema import experiment_schema
from hybridrec.evaluation.report import Report
from hybridrec.registry import kinds
from hybridrec.registry.discovery import Registry
from tests import signatures
from tests.signatures import Snapshot

ROOT = Path(__file__).parents[1]
SIGNATURES = "tests/accepted/signatures.txt"


class Own(Registry):
    """The plugins of this repository, whatever else is installed."""

    def __init__(self) -> None:
        """Leave the others out; raises RuntimeError where the installed entry points are those of another commit."""
        declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
        installed = metadata.distribution("hybridrec").entry_points.select(group="hybridrec")
        if {entry.name: entry.value for entry in installed} != declared["hybridrec"]:
            raise RuntimeError("the installed entry points are not those of pyproject.toml: pip install -e . again")
        everything = Registry().providers
        super().__init__(block=[plugin.distribution for plugin in everything if plugin.distribution != "hybridrec"])


def interface() -> dict[str, str]:
    """File, from the top folder -> what it ought to hold."""
    registry = Own()
    return {
        "docs/experiment.schema.json": _json(experiment_schema(registry)),
        "docs/report.schema.json": _json(Report.model_json_schema()),
        **{f"docs/{file}": page for file, page in reference.api_pages().items()},
        "tests/accepted/names.txt": "\n".join(_names(registry)) + "\n",
        SIGNATURES: accepted().updated(signatures.signatures(), hybridrec.API_VERSION).written(hybridrec.API_VERSION),
        "tests/accepted/commands.md": reference.commands_page(registry),
    }


def accepted() -> Snapshot:
    """Return the accepted signatures."""
    path = ROOT / SIGNATURES
    return Snapshot.parse(path.read_text(encoding="utf-8")) if path.exists() else Snapshot({})


def _names(registry: Registry) -> Iterator[str]:
    """The names of everything that plugins and configs may use."""
    yield f"plugin API {hybridrec.API_VERSION}"
    yield from (f"public name {name}" for name in sorted(hybridrec.__all__))
    for name in reference.HOOKS:
        yield f"hook {name}"
    for kind in kinds.KINDS:
        for cls in registry.classes(kind.plural):
            yield f"{kind.name} {cls.name} {getattr(cls, 'version', '')}".rstrip()  # commands have none of their own


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    if violations := accepted().violations(signatures.signatures(), hybridrec.API_VERSION):
        raise SystemExit("\n".join(violations))
    for file, content in interface().items():
        (ROOT / file).parent.mkdir(exist_ok=True)
        (ROOT / file).write_text(content, encoding="utf-8")
        print(f"wrote {file}")
    if "--final" in sys.argv:
        snapshot = replace(accepted(), final=hybridrec.API_VERSION)
        (ROOT / SIGNATURES).write_text(snapshot.written(hybridrec.API_VERSION), encoding="utf-8")
        print(f"plugin API {hybridrec.API_VERSION} is final")
