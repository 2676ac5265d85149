"""A secret is read where a plugin asks for it, and is found in nothing that anybody writes or prints."""

import json
import re
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

import hybridrec
from hybridrec import ConfigError, Options, Secret, Store

VALUE = 's3cr3t/"quoted"+é'
PLUGIN = '''
import hybridrec
from hybridrec import Options, Secret


class DatabaseOptions(Options):
    """Where it is."""

    url: str = ""
    """Without a password."""
    password: Secret
    """Of the database."""
    fail: str = ""
    """What goes wrong."""
    users: int = 60
    """Users."""


class Database(hybridrec.find("reader", "toy")):
    """Reads with a password."""

    name = "database"
    Config = DatabaseOptions

    def read(self):
        password = self.config.password.reveal()
        if self.config.fail == "driver":
            raise OSError(f"cannot connect to db://reader:{password}@host")
        if self.config.fail == "own":
            try:
                raise OSError(password)
            except OSError as error:
                raise hybridrec.DataError("no connection") from error
        if self.config.fail == "observed":
            pass
        from hybridrec.testing import toy_dataset
        return toy_dataset(self.config.users, 40, 12)

    def notes(self):
        return [f"read with {self.config.password.reveal()}"]


class CalledOptions(hybridrec.find("component", "popularity").Config):
    """How it asks."""

    token: Secret | None = None
    """Of the service."""


class Called(hybridrec.find("component", "popularity")):
    """Asks a service."""

    name = "called"
    Config = CalledOptions

    def fit(self, data, rng):
        self.token = self.config.token.reveal()
        return super().fit(data, rng)

    def notes(self):
        return [f"asked with {self.token}"]


class Teller(hybridrec.Observer):
    """Tells what it must not."""

    name = "teller"

    def observe(self, event):
        if isinstance(event, hybridrec.FitFinished):
            raise ValueError(DatabaseOptions(password="env:DATABASE_PASSWORD").password.reveal())


@hybridrec.hookimpl
def hybridrec_observers():
    return [Teller]


@hybridrec.hookimpl
def hybridrec_readers():
    return [Database]


@hybridrec.hookimpl
def hybridrec_components():
    return [Called]
'''
SPELLINGS = [VALUE, json.dumps(VALUE)[1:-1], "s3cr3t"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", VALUE)
    path = tmp_path / "database.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def config(experiment):
    """Writes an experiment whose reader and one of whose components take a secret."""

    def write(password="env:DATABASE_PASSWORD", more="", token="env:DATABASE_PASSWORD"):
        reader = f"{{reader: database, password: '{password}'{more}}}"
        component = f"noise: {{use: called, token: '{token}'}}"
        return experiment(
            ("{reader: toy}", reader),
            ("noise: {use: echo}", component),
            ("workers: 2", "workers: 2\nrefit: all"),
            ("{toy-events: {}}", "{teller: {}}"),
        )

    return write


def written(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_it_is_in_no_file_of_a_run_or_the_store_and_in_nothing_that_is_printed(call, config, plugin, tmp_path):
    status, out, err = call("run", config(), "--plugin", plugin)
    assert status == 0
    folder = Path(out.splitlines()[-1]).parent
    files = written(folder) | written(tmp_path / ".hybridrec")
    assert len(files) > 10
    for spelling in SPELLINGS:
        assert spelling not in out + err
        assert not [path for path, content in files.items() if spelling.encode() in content]
    assert (folder / "config.yaml").read_text().count("env:DATABASE_PASSWORD") == 2
    notes = json.loads((folder / "report.json").read_text())["notes"]
    assert "read with ***" in notes
    assert [note for note in notes if note.endswith("asked with ***")]
    assert [note for note in notes if "failed at FitFinished" in note and note.endswith("ValueError: ***")]
    for command in (
        ("check", config()),
        ("recommend", folder, "--item", "item 01"),
        ("refresh", folder, "--set", "data.users=50"),
    ):
        status, out, err = call(*command, "--plugin", plugin)
        assert (status, "s3cr3t" in out + err) == (0, False), err


@pytest.mark.parametrize("fail", ["driver", "own"])
@pytest.mark.parametrize("trace", ["0", "1"])
def test_it_is_struck_out_of_errors(call, config, plugin, monkeypatch, fail, trace):
    monkeypatch.setenv("HYBRIDREC_TRACE", trace)
    status, out, err = call("run", config(more=f", fail: {fail}"), "--plugin", plugin)
    assert status in (2, 3)
    assert "s3cr3t" not in out + err
    assert {"driver": "OSError: cannot connect to db://reader:***@host", "own": "no connection"}[fail] in err
    assert "while reading the data: database 1" in err


@pytest.mark.parametrize(("fail", "kind"), [("own", hybridrec.DataError), ("driver", hybridrec.PluginError)])
def test_an_error_shows_nothing_behind_it_that_holds_a_secret(config, plugin, fail, kind):
    with pytest.raises(kind) as caught:
        hybridrec.run(config(more=f", fail: {fail}"), plugins=[plugin])
    assert "s3cr3t" not in "".join(traceback.format_exception(caught.value))


def test_another_password_is_another_key_of_nothing(config, plugin, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("another one\n")
    monkeypatch.setenv("OTHER", "the other one")
    hybridrec.run(config(), plugins=[plugin])
    again = hybridrec.run(config(password="env:OTHER", token="file:token"), plugins=[plugin])
    assert all(fit.cached for fit in again.report.fits)
    assert f"file:{tmp_path / 'token'}" in again.config


@pytest.mark.parametrize("literal", ["hunter2-hunter2", "env:", "env:NOT A NAME", "12345678"])
def test_a_secret_that_is_written_down_is_refused_with_the_remedy_and_not_repeated(call, config, plugin, literal):
    for path in (config(password=literal), config(token=literal)):
        status, out, err = call("check", path, "--plugin", plugin)
        assert status == 2
        assert re.search(r"toy.yaml:\d+: (data.password|components.noise.token): a secret is not written down", err)
        assert "`env:NAME`" in err
        assert literal not in (out + err).replace("`env:NAME`", "")


def test_pydantic_does_not_repeat_it_either():
    class Some(Options):
        password: Secret | None = None

    with pytest.raises(ValidationError) as caught:
        Some(password="hunter2")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="not written down"):
        Secret("hunter2")
    assert Some(password=Secret("env:A")).model_dump(mode="json") == {"password": "env:A"}
    assert Some.model_json_schema()["properties"]["password"]["anyOf"][0]["type"] == "string"


def test_it_is_resolved_when_it_is_asked_for_and_not_before(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    secret = Secret("env:NOT_SET")
    assert (str(secret), repr(secret), secret == Secret("env:NOT_SET")) == (
        "env:NOT_SET",
        "Secret('env:NOT_SET')",
        True,
    )
    with pytest.raises(ConfigError, match="the environment variable NOT_SET, which shall hold a secret, is not set"):
        secret.reveal()
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        Secret(f"file:{tmp_path / 'nowhere'}").reveal()
    (tmp_path / "empty").write_text(" \n")
    with pytest.raises(ConfigError, match="is empty"):
        Secret(f"file:{tmp_path / 'empty'}").reveal()
    (tmp_path / "full").write_text(" token-one\n")
    assert Secret(f"file:{tmp_path / 'full'}").reveal() == "token-one"


@pytest.mark.parametrize(
    "url",
    [
        "db://reader:hunter2@host/x",
        "https://:hunter2@host",
        "see postgres+psycopg://a:hunter2@h",
        "db://host/x?user=reader&password=hunter2",
        "https://host/plays.csv?API_KEY=hunter2",
    ],
)
def test_a_url_with_a_password_is_refused_and_not_shown(call, config, plugin, url):
    status, out, err = call("check", config(more=f", url: '{url}'"), "--plugin", plugin)
    assert status == 2
    assert "toy.yaml:3: data.url: this URL holds a password" in err
    assert "hunter2" not in out + err


@pytest.mark.parametrize(
    "url",
    [
        "db://reader@host/x",
        "https://host:80/a@b",
        "db://reader:{password}@host",
        "db://host/x?password={password}&sslmode=require",
        "https://host/x?passwords=none",
        "mailto:a@b",
    ],
)
def test_a_url_without_a_password_is_taken(call, config, plugin, url):
    assert call("check", config(more=f", url: '{url}'"), "--plugin", plugin)[0] == 0


def test_the_store_keeps_the_data_of_a_reader_that_knows_that_nothing_changed(experiment, tmp_path):
    path, log = tmp_path / "cheap.py", tmp_path / "log"
    text = (
        PLUGIN.split("@hybridrec.hookimpl")[0].split("class CalledOptions")[0]
        + f'''

class Cheap(hybridrec.find("reader", "toy")):
    """Tells cheaply whether something changed."""

    name = "cheap"

    def read(self):
        with open({str(log)!r}, "a") as file:
            file.write("read\\n")
        return super().read()

    def notes(self):
        return ["a line was skipped"]

    def fingerprint(self):
        with open({str(tmp_path / "state")!r}) as file:
            return file.read() or None
'''
    )
    path.write_text(text)
    config = experiment(("reader: toy", "reader: cheap"), ("workers: 2", "workers: 2\nrefit: all"))

    def reads(*assignments, state="1"):
        (tmp_path / "state").write_text(state)
        before = log.read_text().count("read") if log.exists() else 0
        run = hybridrec.run(config, assignments, plugins=[path])
        assert "a line was skipped" in run.report.notes
        return log.read_text().count("read") - before, run

    first, second = reads(), reads()
    assert (first[0], second[0]) == (1, 0)
    assert first[1].report.data == second[1].report.data
    assert first[1].lock["sample"] == second[1].lock["sample"]
    assert hybridrec.plan(config, plugins=[path]).notes[-1] == "a line was skipped"
    assert hybridrec.refresh(second[1], plugins=[path]) == []
    assert log.read_text().count("read") == 1
    assert [reads(state="2")[0], reads("data.users=50", state="2")[0], reads(state="")[0], reads(state="")[0]] == [
        1
    ] * 4
    path.write_text(text.replace("super().read()", "super().read()  # changed"))
    assert reads(state="1")[0] == 0, "a comment changes nothing"
    path.write_text(text.replace("return super().read()", "data = super().read()\n        return data"))
    assert reads(state="1")[0] == 1
    assert [artifact.about for artifact in Store.default().artifacts() if artifact.about.get("data of") == "cheap"]
