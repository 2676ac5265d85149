"""Settings of the server: one model for the command line, the environment and a YAML file."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hybridrec import ConfigError, did_you_mean, read_yaml

ENVIRONMENT = "HYBRIDREC_SERVE_"
"""Prefix of the environment variables: `HYBRIDREC_SERVE_PORT` is `--port`."""
KEYS_VARIABLE = ENVIRONMENT + "API_KEYS"
"""The variable with lines of keys, which stand in a file otherwise."""
Meaning: TypeAlias = Literal["positive", "negative", "skip", "none"]
"""Meaning of a kind of event: its item joins the history, is disliked, is not shown again soon, or nothing of these."""
MEANINGS: dict[str, Meaning] = {
    "play": "positive",
    "like": "positive",
    "buy": "positive",
    "dislike": "negative",
    "skip": "skip",
    "seen": "none",
}
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400)]
Count: TypeAlias = Annotated[int, Field(ge=1)]


class ServerSettings(BaseModel):
    """The options of a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle: Path = Field(description="Bundle, or run made with `refit: all`.")
    host: str = Field("127.0.0.1", description="Address to listen on; any but loopback needs keys, or --open.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one and prints it.")
    workers: int = Field(1, ge=1, le=256, description="Number of processes that compute answers.")
    deadline: Seconds = Field(
        1.0, description="Seconds after which a request is answered by a precomputed list, marked `degraded`."
    )
    queue: Count = Field(1_000, description="Number of requests that may wait; beyond it the server answers 503.")
    batch: int = Field(32, ge=1, le=1_024, description="Number of requests that are answered together at most.")
    window: float = Field(
        0.0, ge=0, le=2, description="Milliseconds to wait for more requests, if the batch before had two or more."
    )
    body: int = Field(1 << 20, ge=1 << 10, le=1 << 26, description="Bytes of the largest body of a request.")
    drain: Seconds = Field(20.0, description="Seconds in which accepted requests are finished after SIGTERM.")
    keys: Path | None = Field(
        None, description=f"File of hashed API keys, one a line (`hybridrec api-key`); {KEYS_VARIABLE} has lines."
    )
    open: bool = Field(False, description="Serve without keys on an address other than loopback; no admin requests.")
    rate: float | None = Field(
        None,
        gt=0,
        description="Requests a second that a key may send, if its own line says nothing; no limit if missing.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="A name that the header Host may have, beside those of loopback (may be given again).",
    )
    folder: Path = Field(Path(".hybridrec/serve"), description="Folder of the events of persons, and of the journal.")
    state: str = Field(
        "sqlite",
        description="Store of events: `sqlite` (in the folder), a postgresql:// address, env:NAME or file:PATH that "
        "holds one, or `none`: no events are taken, and nothing is kept.",
    )
    state_sync: Literal["full", "normal"] = Field(
        "full", description="`normal` is faster; a power cut may then lose the events of the last moments (SQLite)."
    )
    state_events: int = Field(200, ge=1, le=100_000, description="Number of recent events kept for each person.")
    state_days: float = Field(90.0, gt=0, description="Days for which the events of a person are kept for requests.")
    journal: bool = Field(True, description="Write answers and events to the journal in the folder.")
    journal_full: Literal["count", "refuse"] = Field(
        "count", description="On a full disk: serve on and count what is lost, or answer 503."
    )
    journal_days: float | None = Field(
        None, gt=0, description="Days for which the Parquet files of the log are kept; forever if missing."
    )
    events: dict[str, Meaning] = Field(
        MEANINGS, description="Kinds of events, each positive, negative, skip or none (YAML only)."
    )
    log: Literal["json", "text", "off"] | None = Field(
        None, description="Form of the log lines on standard error; `text` on a terminal, else `json`."
    )
    log_persons: bool = Field(
        False, description="Log the ids of users, the addresses of clients, and the texts of errors of components."
    )
    plugins: tuple[Path, ...] = Field(
        (), description="A file of plugins without packaging that the bundle needs (may be given again)."
    )
    block: tuple[str, ...] = Field((), description="A plugin that is not loaded (may be given again).")

    @property
    def loopback(self) -> bool:
        """True if only programs on this machine reach the server."""
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"


def merged(command_line: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> ServerSettings:
    """Return the settings: those of the command line before the environment's, before those of a YAML file.

    command_line: values by name; None for an option that was not given
    environment: the variables of the process; those without the prefix are passed over

    Raises ConfigError for a file that cannot be read, and for an unknown name or a value that cannot be used.
    """
    values, sources = {}, {}
    for name, value in (_read(file) if file is not None else {}).items():
        values[name], sources[name] = value, f"{file}: {name}"
    variables = {ENVIRONMENT + name.upper(): name for name in ServerSettings.model_fields}
    for variable, text in environment.items():
        if variable in variables:
            name = variables[variable]
            values[name], sources[name] = _split(name, text), variable
        elif variable.startswith(ENVIRONMENT) and variable != KEYS_VARIABLE:
            raise ConfigError(f"{variable}: unknown variable: {did_you_mean(variable, [*variables, KEYS_VARIABLE])}")
    for name, value in command_line.items():
        if value is not None:
            values[name], sources[name] = value, option(name)
    try:
        return ServerSettings.model_validate(values)
    except ValidationError as error:
        raise ConfigError("\n".join(_message(mistake, sources) for mistake in error.errors())) from None


def option(name: str) -> str:
    """Return the option of the command line that a setting has: `--plugin` of `plugins`, as it names one at a time."""
    return "--" + (name.removesuffix("s") if several(name) else name).replace("_", "-")


def several(name: str) -> bool:
    """Return True for a setting that is a list."""
    return name in ServerSettings.model_fields and isinstance(ServerSettings.model_fields[name].default, tuple)


def _message(mistake: Any, sources: Mapping[str, str]) -> str:
    name, *below = map(str, mistake["loc"])
    if (name, mistake["type"]) == ("bundle", "missing"):
        return "name a RUN or bundle, in the command or as `bundle` in the file of --config"
    if mistake["type"] == "extra_forbidden":
        return f"{sources[name]}: unknown setting: {did_you_mean(name, ServerSettings.model_fields)}"
    return f"{'.'.join([sources.get(name, option(name)), *below])}: {mistake['msg']}"


def _split(name: str, text: str) -> Any:
    """Return the value of an environment variable: a list is written with commas."""
    return tuple(value.strip() for value in text.split(",") if value.strip()) if several(name) else text


def _read(file: Path) -> dict[str, Any]:
    """Return the settings of a YAML file; paths in it start at its folder."""
    values = read_yaml(file)
    for name in ("bundle", "folder", "keys"):
        if isinstance(values.get(name), str):
            values[name] = file.parent / values[name]
    if isinstance(values.get("plugins"), list):
        values["plugins"] = [file.parent / str(path) for path in values["plugins"]]
    if isinstance(values.get("events"), dict):
        values["events"] = MEANINGS | values["events"]
    return values
