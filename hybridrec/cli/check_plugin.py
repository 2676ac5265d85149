"""`hybridrec check-plugin`: run the contract suites on the classes of a plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hybridrec.cli._console import names
from hybridrec.cli._options import BLOCK, PLUGIN

if TYPE_CHECKING:
    from hybridrec.registry.discovery import Registry
    from hybridrec.testing.contract import Outcome


_WORST_FIRST = ("failed", "expected failure", "passed", "not applicable")


@click.command()
@click.argument("name", shell_complete=names)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option to test with, for classes that have it.",
)
@click.option("--verbose", is_flag=True, help="A line for every case of every check.")
@BLOCK
@PLUGIN
def check_plugin(
    name: str, assignments: tuple[str, ...], verbose: bool, block: tuple[str, ...], plugins: tuple[Path, ...]
) -> None:
    """Run the contract suites on everything that the plugin NAME offers, or on the one class called NAME.

    The source of the plugin may import public names only. Import time and speed are reported beside those of a constant
    ranking; no check depends on them.
    """
    from hybridrec.cli._console import CheckProgress, print_table
    from hybridrec.errors import ConfigError, PluginError
    from hybridrec.registry.discovery import Registry
    from hybridrec.testing.contract import run_checks
    from hybridrec.testing.runner import classes_of, configs_of, contracts_of

    registry = Registry(block=block, plugins=plugins)
    classes = classes_of(name, registry)
    options = _options(classes, assignments)
    failed, skipped, sound = {}, [], {}
    for cls in classes:
        try:
            contracts = list(contracts_of(cls, options[cls], classes))
            with CheckProgress(cls.name, sum(len(contract.checks()) for contract in contracts)) as progress:
                outcomes = [o for contract in contracts for o in run_checks(contract, progress.begin)]
        except ConfigError as error:
            skipped.append(str(error))
            continue
        causes = _by_cause(outcomes)
        rows = [[o.check, o.case, o.status, o.message] for o in outcomes] if verbose else [_row(*c) for c in causes]
        print_table(f"{cls.name} {getattr(cls, 'version', '')}".strip(), ["check", "cases", "outcome", "message"], rows)
        print()
        if broken := [checks for worst, checks in causes if worst.status == "failed"]:
            failed[cls.name] = broken
        else:
            sound[cls] = configs_of(cls, options[cls])[0]
    if not (failed or sound):
        raise ConfigError(f"nothing was checked: {'; '.join(skipped) or f'{name} offers no class'}")
    _report_times(sound, registry)
    for reason in skipped:
        print(f"not checked: {reason}")
    if private := _private_imports(classes, registry):
        print("\n".join(["imports of what is not public:", *private]))
        failed["its source"] = [{"imports_public_names_only": len(private)}]
    if failed:
        count = sum(len(checks) for causes in failed.values() for checks in causes)
        told = "; ".join(f"{called}: {', '.join(map(_named, causes))}" for called, causes in failed.items())
        raise PluginError(f"{count} check{'s'[: count != 1]} failed: {told}")


def _private_imports(classes: Iterable[Any], registry: Registry) -> list[str]:
    """Return a text for each use of a private name of hybridrec in the sources of the plugins of these classes."""
    from hybridrec.testing.private_imports import private_imports

    providers = filter(None, map(registry.provider_of, classes))
    modules = dict.fromkeys(provider.module for provider in providers)
    return list(dict.fromkeys(line for module in modules for line in private_imports(module)))


def _options(classes: Iterable[Any], assignments: Iterable[str]) -> dict[Any, dict[str, Any]]:
    """Return for each class the options that it has among the assignments OPTION=VALUE of `--set`.

    Raises ConfigError for an option that no class has.
    """
    from hybridrec.config import yaml_document
    from hybridrec.errors import ConfigError, did_you_mean
    from hybridrec.plugin import Options

    given = yaml_document.parse("{}", "--set")
    for assignment in assignments:
        given.set(assignment)
    models = {cls: getattr(cls, "Config", Options) for cls in classes}  # a command has none
    keys = {cls: {field.alias or key for key, field in model.model_fields.items()} for cls, model in models.items()}
    options = set().union(*keys.values())
    for key in given.content:
        if key not in options:
            raise ConfigError(f"--set {key}: no class has an option of this name; {did_you_mean(key, options)}")
    return {cls: {key: value for key, value in given.content.items() if key in own} for cls, own in keys.items()}


def _by_cause(outcomes: Iterable[Outcome]) -> list[tuple[Outcome, dict[str, int]]]:
    """Group the outcomes of checks; return (worst outcome, check -> number of cases) for each group.

    A group has the cases of one check, or of all checks that fail with the same message.
    """
    by_check: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_check.setdefault(outcome.check, []).append(outcome)
    by_cause: dict[str, tuple[Outcome, dict[str, int]]] = {}
    for check, cases in by_check.items():
        worst = min(cases, key=lambda o: _WORST_FIRST.index(o.status))
        cause = worst.message if worst.status == "failed" else check
        by_cause.setdefault(cause, (worst, {}))[1][check] = len(cases)
    return list(by_cause.values())


def _row(worst: Outcome, checks: Mapping[str, int]) -> list[str]:
    """Format a group of checks as a row of the table: a line for each check, and the message of the worst outcome."""
    where = f"[{worst.case}] " if worst.message and checks[worst.check] > 1 else ""
    called = "\n".join(check.replace("_", " ") for check in checks)
    return [called, "\n".join(map(str, checks.values())), worst.status, where + worst.message]


def _named(checks: Iterable[str]) -> str:
    """Name a group of checks that fail for the same reason: "NAME (and 2 for the same reason)"."""
    first, *others = checks
    return f"{first} (and {len(others)} for the same reason)" if others else first


def _report_times(classes: Mapping[Any, Mapping[str, Any]], registry: Registry) -> None:
    """Print for each class the seconds that it takes for queries and that its plugin takes to be imported.

    The last row has the seconds of a constant ranking. `classes` maps each class to its options.
    """
    from hybridrec.cli._console import print_table
    from hybridrec.stages.component import Component
    from hybridrec.testing.benchmark import QUERIES, Constant, seconds_of_import, seconds_of_queries

    rows = []
    measured: dict[Any, Mapping[str, Any]] = {**classes, Constant: {}}
    for cls, options in measured.items():
        provider = registry.provider_of(cls)
        speed = (
            f"{seconds_of_queries(cls, options):.3f}" if isinstance(cls, type) and issubclass(cls, Component) else ""
        )
        rows.append(
            [cls.name, speed, "" if provider is None or provider.file else f"{seconds_of_import(provider.module):.3f}"]
        )
    title = f"Seconds, reported and not checked: {QUERIES:,} queries on the toy dataset, import of the plugin"
    print_table(title, ["name", "queries", "import"], rows)
