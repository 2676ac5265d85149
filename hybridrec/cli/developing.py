"""Commands for authors of plugins: new-plugin, check-plugin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hybridrec.cli.inspecting import names
from hybridrec.cli.running import BLOCK

if TYPE_CHECKING:
    from hybridrec.plugin import Plugin
    from hybridrec.registry.discovery import Registry
    from hybridrec.testing.contract import Outcome

_KINDS = ("generator", "scorer", "re-ranker", "reader", "splitter", "metric", "normaliser", "observer")


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="What the plugin brings.")
@click.option(
    "--path",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="here",
    help="The folder in which the new one is made.",
)
def new_plugin(name: str, kind: str, path: Path) -> None:
    """Write a small installable plugin NAME (lower-case words and hyphens) with tests and an experiment.

    It passes its own tests as it is; nothing that exists is overwritten.
    """
    from hybridrec import scaffold
    from hybridrec.registry.discovery import Registry

    folder = scaffold.new_plugin(name, kind, path, Registry())
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        print(f"wrote {file}")
    plugin = folder.name.removeprefix("hybridrec-")
    print(f"try: pip install -e '{folder}[dev]' && hybridrec run plugin:{plugin}/example.yaml && pytest {folder}")


@click.command()
@click.argument("name", shell_complete=names)
@click.option("--verbose", is_flag=True, help="A line for every case of every check.")
@BLOCK
def check_plugin(name: str, verbose: bool, block: tuple[str, ...]) -> None:
    """Run the contract suite on a plugin, or on one component, reader, splitter or metric, called NAME.

    Speed and import time are reported beside those of `popularity`; no check depends on them.
    """
    from hybridrec.cli.printing import table
    from hybridrec.errors import ConfigError, PluginError
    from hybridrec.registry.discovery import Registry
    from hybridrec.testing.checking import classes_of, contracts_of
    from hybridrec.testing.contract import run_checks

    registry = Registry(block=block)
    failed, skipped, sound = [], [], []
    for cls in classes_of(name, registry):
        try:
            outcomes = [outcome for contract in contracts_of(cls) for outcome in run_checks(contract)]
        except ConfigError as error:
            skipped.append(str(error))
            continue
        rows = [[o.check, o.case, o.status, o.message] for o in outcomes] if verbose else _by_check(outcomes)
        table(f"{cls.name} {cls.version}", ["check", "cases", "outcome", "message"], rows)
        print()
        broken = [f"{cls.name}: {outcome.check}" for outcome in outcomes if outcome.status == "failed"]
        failed += broken
        sound += [] if broken else [cls]
    _report_times(sound, registry)
    for reason in skipped:
        print(f"not checked: {reason}")
    if failed:
        raise PluginError(f"{len(dict.fromkeys(failed))} checks failed: {', '.join(dict.fromkeys(failed))}")


def _by_check(outcomes: Iterable[Outcome]) -> list[list[str]]:
    """One row a check: how many cases, the worst outcome, and what the first case of that says."""
    by_check: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_check.setdefault(outcome.check, []).append(outcome)
    rows = []
    for check, cases in by_check.items():
        worst = min(cases, key=lambda o: ("failed", "expected failure", "passed").index(o.status))
        where = f"[{worst.case}] " if worst.message and len(cases) > 1 else ""
        rows.append([check.replace("_", " "), str(len(cases)), worst.status, where + worst.message])
    return rows


def _report_times(classes: Iterable[type[Plugin]], registry: Registry) -> None:
    """What answering and importing take, beside `popularity`."""
    from hybridrec.cli.printing import table
    from hybridrec.stages.component import Component
    from hybridrec.testing.measuring import QUERIES, seconds_of_import, seconds_of_queries

    control = registry.component("popularity")
    rows = []
    for cls in dict.fromkeys((*classes, control)):
        provider = registry.provider_of(cls)
        speed = f"{seconds_of_queries(cls):.3f}" if issubclass(cls, Component) else ""
        rows.append([cls.name, speed, "" if provider is None else f"{seconds_of_import(provider.module):.3f}"])
    title = f"Seconds, reported and not checked: {QUERIES:,} queries on the toy dataset, import of the plugin"
    table(title, ["name", "queries", "import"], rows)
