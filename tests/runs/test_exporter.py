"""An export is whole or does not take place, and what an exporter may be told is checked before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import hybridrec
from hybridrec import DataError, Exporter, PluginError, Run, WriteError
from hybridrec.runs.exporter import export
from tests.fake_plugin import install

SOURCE = '''
from hybridrec import DataError, Exporter, Options, hookimpl


class NamesOptions(Options):
    """Options of `names`."""

    ending: str
    """Of the file."""


class Names(Exporter):
    """The names of the pipelines."""

    name = "names"
    Config = NamesOptions

    def export(self, run, folder):
        path = folder / f"names.{self.config.ending}"
        path.write_text("\\n".join(run.report.pipelines))
        if self.config.ending == "bad":
            raise DataError("no such ending")
        return [path]

    def notes(self):
        return ["two names"]


@hookimpl
def hybridrec_exporters():
    return [Names]
'''


@pytest.fixture
def run(experiment) -> Run:
    return hybridrec.run(experiment())


class Writes(Exporter):
    """Writes two files and fails or lies about them, if it is to."""

    name = "writes"
    trouble = ""

    def export(self, run: Run, folder: Path) -> list[Path]:
        paths = [folder / "a" / "one.txt", folder / "two.txt"]
        for path in paths:
            path.parent.mkdir(exist_ok=True)
            path.write_text(self.trouble)
        if self.trouble == "loses":
            shutil.rmtree(folder)
        if self.trouble == "raises":
            raise DataError("half of it is there")
        return paths[: 1 if self.trouble == "forgets" else 2] * (2 if self.trouble == "repeats" else 1)


def made(trouble: str) -> Exporter:
    exporter = Writes()
    exporter.trouble = trouble  # type: ignore[misc]
    return exporter


@pytest.mark.parametrize("name", [".", "link", "folder"])
def test_files_are_written_on_the_disk_of_a_folder_that_exists(run: Run, tmp_path: Path, monkeypatch, name: str):
    """It may be a mounted disk, to which nothing can be renamed from the folder above."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    monkeypatch.chdir(tmp_path / "folder" if name == "." else tmp_path)
    exporter, written = made("x"), []
    export_to = exporter.export
    monkeypatch.setattr(exporter, "export", lambda run, place: written.append(place) or export_to(run, place))
    assert export(exporter, run, Path(name)) == [Path(name) / "a" / "one.txt", Path(name) / "two.txt"]
    assert [place.resolve().parent for place in written] == [tmp_path / "folder"]
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["a", "two.txt"]


def test_files_take_their_places_and_replace_earlier_ones(run: Run, tmp_path: Path):
    folder = tmp_path / "new" / "files"
    for text in ("first", "second"):
        assert export(made(text), run, folder) == [folder / "a" / "one.txt", folder / "two.txt"]
        assert [path.read_text() for path in (folder / "a" / "one.txt", folder / "two.txt")] == [text, text]
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("raises", DataError), ("forgets", PluginError), ("repeats", PluginError), ("loses", WriteError)],
)
def test_an_export_that_fails_changes_nothing(run: Run, tmp_path: Path, trouble: str, error: type[Exception]):
    export(made("before"), run, tmp_path / "files")
    with pytest.raises(error):
        export(made(trouble), run, tmp_path / "files")
    assert {path.name for path in tmp_path.joinpath("files").rglob("*.txt")} == {"one.txt", "two.txt"}
    assert {path.read_text() for path in tmp_path.joinpath("files").rglob("*.txt")} == {"before"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".files")]


def test_the_exporter_of_a_plugin_is_called_with_its_options(call, run: Run, tmp_path: Path, monkeypatch):
    install(tmp_path, monkeypatch, "names", SOURCE)
    status, out, err = call("export", run.folder, "--format", "names", "--set", "ending=lst")
    assert (status, out, err) == (0, f"{run.folder / 'names' / 'names.lst'}\n", "note: two names\n")
    assert (run.folder / "names" / "names.lst").read_text() == "control\nhybrid"
    assert "exporters: names" in call("plugins")[1]
    assert "hybridrec export runs/NAME --format names --set ending=null" in call("show", "names")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--format", "nams"),
            "unknown exporter 'nams': did you mean 'names'? Available: melon, mpd, names, off-policy, parquet",
        ),
        (("--format", "names"), "--format names --set: ending: this key is required"),
        (("--format", "names", "--set", "endin=x"), "--format names --set: endin: unknown key: did you mean 'ending'"),
        (("--format", "names", "--set", "ending=bad"), "error: no such ending"),
    ],
)
def test_wrong_formats_and_options_are_refused(call, run: Run, tmp_path: Path, monkeypatch, arguments, message: str):
    install(tmp_path, monkeypatch, "names", SOURCE)
    status, out, err = call("export", run.folder, *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert not (run.folder / "names").exists()
