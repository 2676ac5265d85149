"""The command `plugins`."""

from __future__ import annotations

import click

from hybridrec.cli._options import BLOCK


@click.command()
@BLOCK
def plugins(block: tuple[str, ...]) -> None:
    """List the installed plugins with version, origin, state, loading time, and the classes that each offers."""
    from hybridrec.cli import COMMANDS
    from hybridrec.cli._console import table
    from hybridrec.registry.discovery import Registry

    registry = Registry(block=block)
    rows = [
        [
            provider.name,
            provider.version,
            f"{provider.distribution} ({provider.module})",
            "blocked" if provider.blocked else "ok" if provider.error is None else "broken",
            f"{1000 * provider.seconds:.0f} ms",
            "; ".join(f"{kind}: {', '.join(names)}" for kind, names in provider.offers.items()),
        ]
        for provider in registry.providers
    ]
    table("Plugins", ["plugin", "version", "from", "state", "loaded in", "offers"], rows)
    for provider in registry.broken:
        print(f"{provider} could not be loaded: {type(provider.error).__name__}: {provider.error}")
    for provider in registry.slow:
        print(
            f"{provider} took {provider.seconds:.1f} s to load, which every command waits for: "
            "import large libraries inside the functions that need them"
        )
    for clash in registry.clashes:
        print(clash)
    for name in registry.names("commands"):
        if name in COMMANDS:
            print(f"the command '{name}' of a plugin is never called: hybridrec has one of that name")
