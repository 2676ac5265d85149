"""The page on serving is true: its server answers its requests, its settings, unit and container are valid."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import hybridrec
from hybridrec.cli import hybridrec as hybridrec_command
from hybridrec_server.command import api_key, serve
from hybridrec_server.endpoints import ENDPOINTS
from hybridrec_server.schemas import Answer, Answers, EventsWritten, Hits
from hybridrec_server.settings import KEYS_VARIABLE, ServerSettings, merged, several
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


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_the_unit_of_the_page_is_exposed_to_little(tmp_path: Path):
    unit = tmp_path / "hybridrec.service"
    unit.write_text(marked(PAGE, "hybridrec.service"))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(unit)]
    if "--threshold" not in subprocess.run([command[0], "--help"], capture_output=True, text=True, timeout=600).stdout:
        pytest.skip("systemd is older than version 250")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-200:]


def test_the_unit_starts_the_server_and_waits_for_its_end():
    unit = marked(PAGE, "hybridrec.service")
    _, name, *words = shlex.split(re.search("^ExecStart=(.*)$", unit, re.M)[1])
    assert name == "serve"
    serve.make_context(name, words)
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)[1]) > ServerSettings.model_fields["drain"].default


def instructions(container: str) -> list[tuple[str, str]]:
    """The instructions of a container file, each with its arguments."""
    lines = [line for line in container.replace("\\\n", "").splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def test_the_container_is_built_from_what_the_project_has():
    steps = instructions(marked(PAGE, "Containerfile"))
    assert [name for name, _ in steps] == [
        "FROM", "RUN", "ARG", "RUN", "USER", "WORKDIR", "ENV", "VOLUME", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT",
    ]  # fmt: skip
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = {name: arguments for name, arguments in steps if name != "RUN"}
    python = re.fullmatch(r"python:([\d.]+)-slim", said["FROM"])[1]
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]
    extras = re.findall(r"\bEXTRAS=([\w,-]+)", PAGE.read_text(encoding="utf-8"))
    assert len(extras) == 2
    for chosen in extras:
        assert {"serve"} <= set(chosen.split(",")) <= project["optional-dependencies"].keys()
    (install,) = (arguments for name, arguments in steps if name == "RUN" and "pip install" in arguments)
    source = re.search(r"--mount=type=bind,target=(\S+)", install)[1]
    assert f'"{source}[$EXTRAS]"' in install
    assert f"useradd --uid {said['USER']} " in install  # a number: Kubernetes can tell that it is not root
    assert said["WORKDIR"] == said["VOLUME"] == re.search(r"install -d -o hybridrec (\S+)$", install)[1]


def test_the_container_starts_a_server_whose_health_it_can_ask():
    steps = dict(instructions(marked(PAGE, "Containerfile")))
    _, name = json.loads(steps["ENTRYPOINT"])
    settings = merged({}, dict(pair.split("=") for pair in steps["ENV"].split()))
    assert (name, settings.host, settings.port) == ("serve", "0.0.0.0", int(steps["EXPOSE"]))
    check = json.loads(re.search(r"CMD (\[.*\])$", steps["HEALTHCHECK"])[1])
    url = re.search(r"http://127\.0\.0\.1:(\d+)(/\S+)'", check[-1])
    assert int(url[1]) == settings.port
    assert url[2] in {endpoint.path for endpoint in ENDPOINTS}
    compile(check[-1], "HEALTHCHECK", "exec")


def test_the_container_is_run_with_what_its_file_names():
    steps = dict(instructions(marked(PAGE, "Containerfile")))
    build, *_, run, events = map(shlex.split, marked(PAGE, "container").splitlines())
    image = build[build.index("-t") + 1]
    options, words = run[: run.index(image, run.index("-e"))], run[run.index(image, run.index("-e")) + 1 :]
    serve.make_context("serve", words)
    given = dict(itertools.pairwise(options))
    assert float(given["--stop-timeout"]) > ServerSettings.model_fields["drain"].default
    assert given["-p"].rpartition(":")[2] == steps["EXPOSE"]
    assert given["-e"].partition("=")[0] == KEYS_VARIABLE
    bundle = Path(dict(pair.split("=") for pair in steps["ENV"].split())["HYBRIDREC_SERVE_BUNDLE"])
    volumes = [option.split(":") for flag, option in itertools.pairwise(options) if flag == "-v"]
    assert volumes == [["./bundles", str(bundle.parent), "ro"], ["hybridrec", steps["VOLUME"]]]
    assert f" bundles/{bundle.name}\n" in marked(PAGE, "container")
    assert events[:4] == ["podman", "exec", given["--name"], "hybridrec"]
    command = hybridrec_command.get_command(click.Context(hybridrec_command), events[4])
    command.make_context(events[4], events[5:])
