"""The command `show`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hybridrec.cli._options import BLOCK

if TYPE_CHECKING:
    from hybridrec.registry.discovery import Registry
from hybridrec.cli._console import names


@click.command()
@click.argument("name", required=False, shell_complete=names)
@BLOCK
def show(name: str | None, block: tuple[str, ...]) -> None:
    """Explain a component, normaliser, reader, splitter or metric: what it does and every option it takes.

    Without NAME, list all names by kind, those of components by stage.
    """
    from hybridrec.cli._console import table
    from hybridrec.registry.describe import describe
    from hybridrec.registry.discovery import Registry
    from hybridrec.registry.validation import KINDS

    registry = Registry(block=block)
    if name is None:
        others = {kind: registry.names(kind) for kind in KINDS if kind != "components"}
        rows = [[kind, ", ".join(found)] for kind, found in {**_by_stage(registry), **others}.items()]
        table("What `hybridrec show NAME` explains", ["kind", "names"], rows)
        return
    for page in describe(name, registry):
        print(f"{page.name} ({page.kind}, version {page.version}, from {page.origin})\n")
        print(page.text + "\n")
        for fact in page.facts:
            print(fact)
        print(f"\n{page.example}", end="")
        if page.options:
            table("\nOptions", ["option", "type", "default", "meaning"], [list(option) for option in page.options])
        print()


def _by_stage(registry: Registry) -> dict[str, list[str]]:
    """The names of components by what they do."""
    from hybridrec.stages.component import Generator, Reranker, Scorer

    found: dict[str, list[str]] = {"generators and scorers": [], "generators": [], "scorers": [], "re-rankers": []}
    for cls in registry.classes("components"):
        roles = ((Reranker, "re-rankers"), (Generator, "generators"), (Scorer, "scorers"))
        stages = [stage for role, stage in roles if issubclass(cls, role)]
        found["generators and scorers" if stages == ["generators", "scorers"] else stages[0]].append(cls.name)
    return {stage: names for stage, names in found.items() if names}
