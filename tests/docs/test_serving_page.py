"""The page on serving is true: its server answers its requests, its settings, unit and container are valid."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import hybridrec
from hybridrec_server.command import api_key, serve
from hybridrec_server.endpoints import ENDPOINTS
from hybridrec_server.schemas import Answer, Answers, EventsWritten, Hits
from hybridrec_server.settings import ServerSettings, merged, several
from tests.docs.markdown import ROOT, blocks, marked

PAGE = ROOT / "docs" / "serving.md"
ADDRESS = "http://127.0.0.1:8080"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page's server with the page's bundle."""
    folder = tmp_path_factory.mktemp("serving")
    config = next(block.code for block in blocks(PAGE) if (block.language, block.mark) == ("yaml", "file"))
    (folder / "nightly.yaml").write_text(config, encoding="utf-8")
    run = hybridrec.run(folder / "nightly.yaml", runs=folder / "runs", store=folder / "store")
    run.bundle(folder / "nightly.hybridrec")
    _, *words = shlex.split(marked(PAGE, "server"))
    command = [sys.executable, "-W", "error", "-m", "hybridrec", *words, "--port", "0"]
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("serving nightly.hybridrec at http://127.0.0.1:"), (folder / "log.txt").read_text()
        yield line.rpartition(" at ")[2].strip()
    finally:
        process.terminate()
        process.communicate(timeout=600)
        log.close()
    assert process.returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_requests_of_the_page_are_answered(address: str):
    models = [Answer, Answers, EventsWritten, Hits]
    commands = marked(PAGE, "curl").replace(ADDRESS, address).splitlines()
    for command, model in zip(commands, models, strict=True):
        done = subprocess.run(shlex.split(command), capture_output=True, text=True, timeout=600, check=True)
        answered = model.model_validate_json(done.stdout)
        assert json.loads(done.stdout).keys() <= model.model_fields.keys()
        assert answered != model.model_construct()


@pytest.mark.slow
def test_the_client_of_the_page_is_answered(address: str):
    program = marked(PAGE, "client").replace(ADDRESS, address)
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ})
    assert (done.stdout, done.stderr) == ("422 pipeline\n", "")


def test_the_command_of_the_page_is_taken():
    _, name, *words = shlex.split(marked(PAGE, "server"))
    assert name == "serve"
    serve.make_context(name, words)


def test_the_answer_on_the_page_follows_its_model():
    shown = json.loads(marked(PAGE, "answer"))
    assert Answer.model_validate(shown).model_dump(exclude_unset=True) == shown


def test_the_table_has_every_endpoint():
    text = PAGE.read_text(encoding="utf-8")
    for endpoint in ENDPOINTS:
        assert endpoint.path.replace("{id}", "ID") in text


def test_the_settings_of_the_page_are_valid(tmp_path: Path):
    (tmp_path / "serve.yaml").write_text(marked(PAGE, "serve.yaml"), encoding="utf-8")
    settings = merged({}, {}, tmp_path / "serve.yaml")
    assert (settings.workers, settings.host) == (2, "0.0.0.0")
    for name in re.findall(r"`--([a-z-]+)`", PAGE.read_text(encoding="utf-8").partition("## Over HTTP")[2]):
        parameters = (*serve.params, *api_key.params)
        options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        assert f"--{name}" in options, name


def test_the_table_of_names_is_right_of_command_line_file_and_environment(tmp_path: Path):
    table = PAGE.read_text(encoding="utf-8").partition("| command line | file |")[2].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    for given, text, variable in rows[1:5]:
        parameters = serve.make_context("serve", ["RUN", *given.split()]).params
        name = text.partition(":")[0]
        (tmp_path / "serve.yaml").write_text(text, encoding="utf-8")
        asked = getattr(merged({"bundle": "RUN", name: parameters[name]}, {}), name)
        environment = dict([("HYBRIDREC_SERVE_" + variable).split("=")])
        assert getattr(merged({"bundle": "RUN"}, environment), name) == asked
        written = getattr(merged({"bundle": "RUN"}, {}, tmp_path / "serve.yaml"), name)
        assert written == (tuple(tmp_path / path for path in asked) if name == "plugins" else asked)
    assert [row[1].partition(":")[0] for row in rows] == [
        "bundle", "allowed_hosts", "plugins", "block", "journal", "events", "",
    ]  # fmt: skip
    lists = {name for name in ServerSettings.model_fields if several(name)}
    assert lists == {"allowed_hosts", "plugins", "block"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_the_unit_of_the_page_is_valid(tmp_path: Path):
    program = tmp_path / "hybridrec"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / "hybridrec.service"
    unit.write_text(marked(PAGE, "hybridrec.service").replace("/opt/hybridrec/bin/hybridrec", str(program)))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=600)
    complaints = [line for line in done.stderr.splitlines() if "hybridrec.service" in line]
    assert complaints == []


def test_the_unit_and_the_container_start_the_server_with_settings_that_exist(tmp_path: Path):
    unit, container = marked(PAGE, "hybridrec.service"), marked(PAGE, "Containerfile")
    _, name, *words = shlex.split(re.search("^ExecStart=(.*)$", unit, re.M)[1])
    assert name == "serve"
    serve.make_context(name, words)
    variables = dict(re.findall(r"(HYBRIDREC_SERVE_\w+)=(\S+)", container))
    (command,) = re.findall(r"^CMD (\[.*\])$", container, re.M)
    settings = merged({"bundle": json.loads(command)[0]}, variables)
    assert (settings.host, settings.log, settings.folder) == ("0.0.0.0", "json", Path("/data/serve"))
    assert {name.removeprefix("HYBRIDREC_SERVE_").lower() for name in variables} <= ServerSettings.model_fields.keys()
    assert json.loads(re.search(r"^ENTRYPOINT (\[.*\])$", container, re.M)[1]) == ["hybridrec", "serve"]
    assert {line.split()[0] for line in container.splitlines()} <= {
        "FROM", "RUN", "USER", "WORKDIR", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip
