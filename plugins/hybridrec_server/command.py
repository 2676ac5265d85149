"""The commands `serve` and `api-key`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from hybridrec import MissingDependencyError
from hybridrec_server.settings import ENVIRONMENT, ServerSettings, merged, option, several

if TYPE_CHECKING:
    from hybridrec_server.event_log import EventLog
    from hybridrec_server.security import Scope
    from hybridrec_server.server import Parts
    from hybridrec_server.state.base import Synchronous

INSTALL = "pip install 'hybridrec[serve]'"
_YAML_ONLY = ("events",)


def _options(function: Any) -> Any:
    """Add an option for each setting; the values are checked together, with those from elsewhere."""
    for name, field in reversed(ServerSettings.model_fields.items()):
        if name != "bundle" and name not in _YAML_ONLY:
            function = _option(name, field)(function)
    return function


def _option(name: str, field: FieldInfo) -> Any:
    if field.annotation is bool:
        declaration = f"{option(name)}/{option('no_' + name)}" if field.default else option(name)
        return click.option(declaration, name, default=None, is_flag=True, help=field.description)
    default = "" if field.default is None or several(name) else f"  [default: {field.default}]"
    return click.option(
        option(name),
        name,
        default=None,
        multiple=several(name),
        metavar="|".join(_choices(field.annotation)) or _metavar(str(field.annotation)),
        help=f"{field.description}{default}",
    )


def _choices(annotation: Any) -> tuple[str, ...]:
    """Return the values that a type allows, if it lists them."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next(filter(None, map(_choices, get_args(annotation))), ())


def _metavar(annotation: str) -> str:
    return "PATH" if "Path" in annotation else "NUMBER" if "int" in annotation or "float" in annotation else "TEXT"


@click.command(
    epilog=f"Every option may come from a variable of the environment, too: {ENVIRONMENT}PORT is --port. One that may "
    f"be given again is a list there, by commas: {ENVIRONMENT}ALLOWED_HOSTS, {ENVIRONMENT}PLUGINS, {ENVIRONMENT}BLOCK."
)
@click.argument("run_or_bundle", metavar="RUN", type=click.Path(path_type=Path), required=False)
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="YAML file of settings, called like the options here, with `_` for `-`; lists are `allowed_hosts`, `plugins` "
    "and `block`.",
)
@_options
def serve(run_or_bundle: Path | None, file: Path | None, **values: Any) -> None:
    """Answer requests over HTTP from a RUN (made with `refit: all`) or a bundle.

    The server listens on loopback; `/` is a page to try it, `/api` describes the endpoints. SIGTERM ends it when the
    requests that it accepted are answered, SIGHUP lets it look for a new bundle at its path.
    """
    given = {name: value for name, value in values.items() if value not in (None, ())}
    settings = merged({"bundle": run_or_bundle, **given}, os.environ, file)
    _require_libraries()
    from hybridrec_server.log import Log
    from hybridrec_server.server import Server

    log = Log(settings.log or ("text" if sys.stderr.isatty() else "json"))
    try:
        server = Server(settings, _parts(settings), log, os.environ)
        server.run(lambda address: click.echo(f"serving {settings.bundle} at {address}"))
    finally:
        log.close()


def _parts(settings: ServerSettings) -> Parts:
    """Return the parts of a server, none of them started."""
    from hybridrec_server.dispatcher import WorkerDispatcher
    from hybridrec_server.metrics import ServerMetrics
    from hybridrec_server.server import Parts

    metrics, events = ServerMetrics(), _event_log(settings)
    if events is not None and events.journal is not None:
        metrics.watch_journal(events.journal)
    return Parts(WorkerDispatcher(settings, metrics, events.state if events else None), metrics, events)


def _event_log(settings: ServerSettings) -> EventLog | None:
    """Return the log of events and answers, None if nothing is kept; raises ConfigError for a wrong address."""
    from hybridrec_server.event_log import EventLog
    from hybridrec_server.journal.base import JournalOptions
    from hybridrec_server.journal.writer import FileJournal
    from hybridrec_server.state.base import StateLimits
    from hybridrec_server.state.store import open_state, state_address

    address = state_address(settings.state, settings.folder)
    if address is None:
        return None
    synchronous: Synchronous = "FULL" if settings.state_sync == "full" else "NORMAL"
    limits = StateLimits(per_unit=settings.state_events, days=settings.state_days)
    state = open_state(address, synchronous=synchronous, limits=limits)
    options = JournalOptions(synchronous=synchronous, on_full=settings.journal_full, days=settings.journal_days)
    return EventLog(state, FileJournal(settings.folder / "log", options) if settings.journal else None)


def _require_libraries() -> None:
    """Raise MissingDependencyError for a library of the extra `serve` that is not installed."""
    for name in ("starlette", "uvicorn", "httptools", "orjson", "prometheus_client"):
        if find_spec(name) is None:
            raise MissingDependencyError(f"`serve` needs {name}: {INSTALL}")


@click.command("api-key")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "admin"]),
    default="read",
    show_default=True,
    help="What the key may do: ask and send events, or also exchange bundles.",
)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Requests a second that it may send.")
def api_key(name: str, scope: Scope, rate: float | None) -> None:
    """Make an API key called NAME: print its line for the file of --keys, and the key itself on standard error.

    The line has a digest of the key: whoever reads the file cannot ask with it. Nobody can show the key again.
    """
    from hybridrec_server.security import made

    key, line = made(name, scope, rate)
    click.echo(line)
    click.echo(f"the key of '{name}', shown only now: {key}", err=True)
