"""Paths that are assigned start where the command is given; those of a file at the folder of the file."""

from pathlib import Path

import pytest
import yaml

import hybridrec
from hybridrec import InputPath, Options, Secret
from hybridrec.assigned_text import AssignedText, beside_the_command
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry

PLAYS = "user,item\n" + "".join(f"u{user},i{item}\n" for user in range(12) for item in range(user % 4, 9))
CONFIG = """\
name: paths
data: {reader: table, interactions: {path: plays.csv, user: user, item: item}}
split: {use: random}
components: {popularity: {}}
pipelines: {control: {generators: [{from: popularity}], fallback: []}}
compare: {control: control, resamples: 100}
refit: all
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a config and its data in `configs`, and other data in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "paths.yaml").write_text(CONFIG)
    (tmp_path / "configs" / "plays.csv").write_text(PLAYS)
    (tmp_path / "more.csv").write_text(PLAYS + "u99,i1\nu99,i2\n")
    return tmp_path


def test_an_assigned_path_starts_at_the_current_folder(place):
    def read(*assignments):
        return load_experiment(Path("configs/paths.yaml"), Registry(), assignments).resolved["data"]["interactions"]

    assert read()["path"] == str(place / "configs" / "plays.csv")
    assert read("data.interactions.path=more.csv")["path"] == str(place / "more.csv")
    assert read("data.interactions={path: more.csv, user: user, item: item}")["path"] == str(place / "more.csv")
    assert read("data.interactions.path=frame:more")["path"] == "frame:more"
    assert read(f"data.interactions.path={place / 'x.csv'}")["path"] == str(place / "x.csv")


def test_text_that_is_assigned_is_plain_text_in_the_config(place):
    experiment = load_experiment(Path("configs/paths.yaml"), Registry(), ("name=other", "data.interactions.user=user"))
    assert (experiment.config.name, type(experiment.config.name)) == ("other", str)
    assert yaml.safe_dump(experiment.resolved)


def test_a_run_is_refreshed_from_a_file_beside_the_command(place, call):
    run = hybridrec.run("configs/paths.yaml")
    assert call("refresh", run.folder, "--set", "data.interactions.path=more.csv")[0] == 0
    assert "u99" in hybridrec.load(run).data.users.vocabulary


def test_options_and_secrets_follow_the_same_rule(place):
    class Reads(Options):
        file: InputPath
        token: Secret

    folder = {"folder": place / "configs"}
    read = Reads.model_validate({"file": "a.txt", "token": "file:b.txt"}, context=folder)
    assert (read.file, read.token) == (place / "configs" / "a.txt", Secret(f"file:{place / 'configs' / 'b.txt'}"))
    assigned = {"file": AssignedText("a.txt"), "token": AssignedText("file:b.txt")}
    read = Reads.model_validate(assigned, context=folder)
    assert (read.file, read.token) == (place / "a.txt", Secret(f"file:{place / 'b.txt'}"))
    assert beside_the_command("a.txt") == "a.txt"
