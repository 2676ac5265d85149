"""The commands `serve` and `api-key`: options from the settings, messages, and a server of a real bundle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from hybridrec import ConfigError, MissingDependencyError
from hybridrec.cli import hybridrec as group
from hybridrec.testing import CommandContract
from hybridrec_server import command
from hybridrec_server.client import Client, ServerError
from hybridrec_server.command import api_key, serve
from hybridrec_server.security import keyring
from hybridrec_server.settings import ServerSettings, option

MOODY = Path(__file__).with_name("moody.py")


class TestServe(CommandContract):
    command = serve


class TestApiKey(CommandContract):
    command = api_key


@pytest.fixture
def settings(monkeypatch) -> list[ServerSettings]:
    """The settings with which the command would serve."""
    taken: list[ServerSettings] = []

    def stop(settings):
        taken.append(settings)
        raise ConfigError("stop")

    monkeypatch.setattr(command, "_parts", stop)
    return taken


def call(*arguments, **environment):
    return CliRunner().invoke(group, ["serve", *map(str, arguments)], env=environment)


def test_every_setting_is_an_option_or_stands_in_the_file_alone():
    names = {parameter.name for parameter in serve.params}
    assert names == {*ServerSettings.model_fields, "run_or_bundle", "file"} - {"bundle", "events"}


def test_messages_name_options_that_exist():
    declared = {parameter.name: parameter.opts for parameter in serve.params}
    for name in declared.keys() & ServerSettings.model_fields.keys():
        assert declared[name] == [option(name)]


def test_options_become_settings(settings, tmp_path):
    (tmp_path / "serve.yaml").write_text("workers: 3\nevents: {rate: positive}\n")
    options = ["--port", 0, "--no-journal", "--open", "--plugin", "a.py", "--plugin", "b.py", "--allowed-host", "x"]
    result = call("toy", *options, "--config", tmp_path / "serve.yaml", HYBRIDREC_SERVE_DEADLINE="2.5")
    assert isinstance(result.exception, ConfigError), result.output
    (taken,) = settings
    assert (taken.bundle, taken.port, taken.journal, taken.open) == (Path("toy"), 0, False, True)
    assert (taken.plugins, taken.allowed_hosts) == ((Path("a.py"), Path("b.py")), ("x",))
    assert (taken.workers, taken.deadline, taken.events["rate"]) == (3, 2.5, "positive")


def test_wrong_options_are_messages_before_anything_starts(settings):
    for arguments, message in [
        ([], "name a RUN or bundle"),
        (["toy", "--port", "x"], "--port: "),
        (["toy", "--state-sync", "half"], "--state-sync: "),
    ]:
        assert message in str(call(*arguments).exception)
    assert settings == []


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else name)
    error = call("toy").exception
    assert isinstance(error, MissingDependencyError)
    assert "uvicorn" in str(error)
    assert "hybridrec[serve]" in str(error)


def test_a_key_is_shown_once_and_its_line_is_taken(tmp_path):
    result = CliRunner().invoke(group, ["api-key", "web", "--scope", "admin", "--rate", "2.5"])
    (tmp_path / "keys").write_text(result.stdout)
    key = result.stderr.rpartition(" ")[2].strip()
    keys = keyring(ServerSettings(bundle=Path("toy"), keys=tmp_path / "keys"), {})
    admitted = keys.admit({b"x-api-key": key.encode()}, "admin")
    assert (admitted.name, admitted.rate) == ("web", 2.5)
    assert key not in result.stdout


def test_a_bundle_is_served_over_http(bundles, tmp_path):
    """The whole way: command, workers, events, what they change, the end."""
    bundle = bundles["first"]
    program = [sys.executable, "-W", "error", "-m", "hybridrec", "serve", str(bundle)]
    options = ["--port", "0", "--folder", str(tmp_path / "serve"), "--log", "json", "--plugin", str(MOODY)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*program, *options], cwd=tmp_path, env={**os.environ}, **pipes)
    try:
        line = process.stdout.readline()
        assert line.startswith(f"serving {bundle} at http://127.0.0.1:"), process.communicate()[1]
        with Client(line.rpartition(" at ")[2].strip()) as client:
            pipelines = client.pipelines()
            assert client.ready().ready
            first = client.recommend({"n": 3})
            assert (first.pipeline, first.bundle) == (pipelines.default, pipelines.bundle)
            liked = first.items[0].id
            assert client.events([{"user": "visitor", "item": liked, "kind": "like"}]).accepted == 1
            seconds = client.recommend_many([{"user": "visitor", "n": 3}, {"items": [liked], "n": 3}])
            assert seconds[0].items == seconds[1].items
            wrong = {"filters": [{"column": "nix", "is": 1}], "n": 3}
            with pytest.raises(ServerError) as caught:
                client.recommend_many([{"items": [liked], "n": 3}, {"n": 3}, wrong])
            assert [mistake.path for mistake in caught.value.problem.errors] == ["queries[2].filters[0].column"]
            address = str(client._http.base_url)
            assert b"hybridrec_responses_total" in httpx.get(address + "/metrics").content
        process.send_signal(signal.SIGTERM)
        started = time.perf_counter()
        out, err = process.communicate(timeout=600)
        assert time.perf_counter() - started < 10
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert (process.returncode, out) == (0, "")
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines if line["event"] != "request"] == ["draining"]
    assert "visitor" not in err
