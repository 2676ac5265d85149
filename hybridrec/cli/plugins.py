"""`hybridrec plugins`: list the installed plugins, what they offer, and their problems."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli._console import say
from hybridrec.cli._options import BLOCK, PLUGIN

if TYPE_CHECKING:
    from hybridrec.registry.discovery import Provider


@click.command()
@BLOCK
@PLUGIN
def plugins(block: tuple[str, ...], plugins: tuple[Path, ...]) -> None:
    """List the installed plugins with version, origin, state, loading time, and the classes that each offers."""
    from hybridrec.cli import COMMANDS
    from hybridrec.cli._console import print_table
    from hybridrec.registry.discovery import Registry

    registry = Registry(block=block, plugins=plugins)
    rows = [
        [
            provider.name,
            provider.version,
            provider.file or f"{provider.distribution} ({provider.module})",
            _state(provider),
            f"{1000 * provider.seconds:.0f} ms",
            "; ".join(f"{kind}: {', '.join(names)}" for kind, names in provider.offers.items()),
        ]
        for provider in registry.providers
    ]
    print_table("Plugins", ["plugin", "version", "from", "state", "loaded in", "offers"], rows)
    for provider in registry.broken:
        say(f"{provider} could not be loaded: {type(provider.error).__name__}: {provider.error}")
    for provider in registry.providers:
        for kind, _, error in provider.left_out:
            say(f"{provider}: a {kind} was left out: {type(error).__name__}: {error}")
    for provider in registry.slow:
        say(
            f"{provider} took {provider.seconds:.1f} s to load, which every command waits for: "
            "import large libraries inside the functions that need them"
        )
    for name in registry.not_installed:
        say(f"'{name}' is blocked and not installed")
    for clash in registry.clashes:
        say(clash)
    for name in registry.names("commands"):
        if name in COMMANDS:
            say(f"the command '{name}' of a plugin is never called: hybridrec has one of that name")


def _state(provider: Provider) -> str:
    if provider.blocked:
        return "blocked"
    if provider.error is not None:
        return "broken"
    return "ok" if not provider.left_out else f"ok, {len(provider.left_out)} left out"
