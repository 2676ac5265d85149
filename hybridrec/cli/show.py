"""`hybridrec show`: explain a class or command of a plugin, with its options, or list all names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli._console import names
from hybridrec.cli._options import BLOCK, PLUGIN

if TYPE_CHECKING:
    from hybridrec.registry.discovery import Registry


@click.command()
@click.argument("name", required=False, shell_complete=names)
@BLOCK
@PLUGIN
def show(name: str | None, block: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """Explain everything that is called NAME, of whatever kind: its purpose and every option it takes.

    A name may be in use in several kinds, such as `attribute`, a filter and a segmenter. Without NAME, list all names
    by kind, and those of components by stage.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.registry.describe import describe
    from hybridrec.registry.discovery import Registry

    registry = Registry(block=block, plugins=plugins)
    if name is None:
        rows = [[roles, ", ".join(names)] for roles, names in _by_roles(registry).items()]
        print_table("What `hybridrec show NAME` explains", ["kind", "names"], rows)
        return
    for page in describe(name, registry):
        print(f"{page.name} ({page.kind}, version {page.version}, from {page.origin})\n")
        print(page.text + "\n")
        for fact in page.facts:
            print(fact)
        print(f"\n{page.example}", end="")
        if page.options:
            print_table(
                "\nOptions", ["option", "type", "default", "meaning"], [list(option) for option in page.options]
            )
        print()


def _by_roles(registry: Registry) -> dict[str, list[str]]:
    """Return the names of all classes by kind; components are listed by stages, such as "generators and scorers"."""
    from hybridrec.registry import kinds

    names: dict[str, list[str]] = {}
    for kind in kinds.KINDS:
        by_roles: dict[str, list[str]] = {}
        for cls in registry.classes(kind.plural):
            roles = [f"{role.name}s" for role in kind.roles_of(cls)] or [kind.plural]
            by_roles.setdefault(" and ".join(roles), []).append(cls.name)
        names |= by_roles
    return names
