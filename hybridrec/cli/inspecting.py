"""Commands around what is installed: show, plugins, schema, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hybridrec.cli.running import BLOCK

if TYPE_CHECKING:
    from hybridrec.registry.discovery import Registry


def names(context: click.Context, parameter: click.Parameter, begun: str) -> list[str]:
    """What may be explained or checked, for the completion of a shell."""
    from hybridrec.registry.discovery import Registry
    from hybridrec.registry.offers import KINDS

    registry = Registry()
    known = {name for kind in KINDS for name in registry.names(kind)}
    return sorted(name for name in known if name.startswith(begun))


@click.command()
@click.argument("name", required=False, shell_complete=names)
@BLOCK
def show(name: str | None, block: tuple[str, ...]) -> None:
    """Explain a component, normaliser, reader, splitter or metric: what it does and every option it takes.

    Without NAME, list all names by kind, those of components by stage.
    """
    from hybridrec.cli.printing import table
    from hybridrec.registry.discovery import Registry
    from hybridrec.registry.offers import KINDS
    from hybridrec.registry.reference import describe

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


@click.command()
@BLOCK
def plugins(block: tuple[str, ...]) -> None:
    """List the installed plugins with version, origin, state, time of loading, and what each offers."""
    from hybridrec.cli.printing import table
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


@click.command()
@click.option("--of", type=click.Choice(["experiment", "report"]), default="experiment", show_default=True)
def schema(of: str) -> None:
    """Print a JSON Schema: of experiment files with the options of all installed plugins, or of report.json."""
    import json

    from hybridrec.evaluation.report import Report
    from hybridrec.experiment.json_schema import experiment_schema
    from hybridrec.registry.discovery import Registry

    found = experiment_schema(Registry()) if of == "experiment" else Report.model_json_schema()
    print(json.dumps(found, indent=1, ensure_ascii=False))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a SHELL complete commands, options, files and names of components.

    For bash: hybridrec completion bash > ~/.local/share/bash-completion/completions/hybridrec
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    print(found(context.find_root().command, {}, "hybridrec", "_HYBRIDREC_COMPLETE").source())
