"""Settings: three sources of one model, and messages that name the source."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridrec import ConfigError
from hybridrec_server.settings import ServerSettings, merged


def test_the_command_line_comes_before_the_environment_before_the_file(tmp_path):
    file = tmp_path / "serve.yaml"
    file.write_text(
        "bundle: a.hybridrec\nport: 1\nworkers: 2\ndeadline: 3\nevents: {rate: positive}\nplugins: [p.py]\n"
    )
    environment = {"HYBRIDREC_SERVE_PORT": "4", "HYBRIDREC_SERVE_WORKERS": "5", "OTHER": "6"}
    environment["HYBRIDREC_SERVE_API_KEYS"] = "lines of keys"
    environment["HYBRIDREC_SERVE_ALLOWED_HOSTS"] = "a.example, b.example"
    settings = merged({"port": "7", "deadline": None}, environment, file)
    assert (settings.port, settings.workers, settings.deadline) == (7, 5, 3)
    assert settings.bundle == tmp_path / "a.hybridrec"
    assert settings.plugins == (tmp_path / "p.py",)
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.events["rate"] == settings.events["play"] == "positive"
    assert merged({"bundle": Path("b")}, {}).port == 8080


@pytest.mark.parametrize(
    ("command_line", "environment", "text", "message"),
    [
        ({"port": "x"}, {}, "", "--port: .*valid integer"),
        ({"port": "99999"}, {}, "", "--port: "),
        ({"allowed_hosts": (1,)}, {}, "", r"--allowed-host\.0: "),
        ({}, {"HYBRIDREC_SERVE_STATE_EVENTS": "0"}, "", "HYBRIDREC_SERVE_STATE_EVENTS: "),
        ({}, {"HYBRIDREC_SERVE_PROT": "1"}, "", "^HYBRIDREC_SERVE_PROT: unknown variable: did you mean '.*_PORT'"),
        ({}, {"HYBRIDREC_SERVE_API_KEY": "k"}, "", "^HYBRIDREC_SERVE_API_KEY: .* did you mean '.*_API_KEYS'"),
        ({}, {}, "window: 3", "serve.yaml: window: "),
        ({}, {}, "worker: 3", "serve.yaml: worker: unknown setting: did you mean 'workers'"),
        ({}, {}, "events: {play: good}", "serve.yaml: events.play: "),
        ({}, {}, "port: 1\nport: 2", "serve.yaml:2: the key 'port' is here twice"),
        ({}, {}, "port: [", "serve.yaml:"),
        ({}, {}, "- port", "serve.yaml: expected a mapping of keys"),
        ({}, {}, "port: 2001-99-99", "serve.yaml:1: .2001-99-99. is not a valid timestamp"),
        ({}, {}, "port: \0", "serve.yaml: not valid YAML"),
        ({}, {}, "host: a\nport: !!int", "serve.yaml:2: .* is not a valid int"),
    ],
)
def test_a_wrong_value_is_named_with_its_source(tmp_path, command_line, environment, text, message):
    file = tmp_path / "serve.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        merged({"bundle": Path("b"), **command_line}, environment, file)


def test_a_missing_bundle_or_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="name a RUN or bundle"):
        merged({}, {})
    with pytest.raises(ConfigError, match=r"nix\.yaml: no such file"):
        merged({}, {}, tmp_path / "nix.yaml")


def test_what_is_kept_for_days_is_called_as_in_the_glossary():
    """The journal is what is appended to, before it becomes Parquet: it goes without regard to days."""
    assert "Parquet files of the log" in ServerSettings.model_fields["journal_days"].description
