"""Skip-gram on playlists in Spotify's format, from the command line: settings, folder, vectors, nearest tracks."""

import json
from pathlib import Path

import pytest
import yaml

from hybridrec.runs.run import Run
from tests.founding_files import write_spotify

pytest.importorskip("gensim")
CONFIG = Path(__file__).parents[2] / "configs" / "spotify.yaml"


@pytest.fixture
def playlists(tmp_path):
    return write_spotify(tmp_path / "spotify_dataset.csv")


def test_settings_folder_vectors_and_nearest_tracks(playlists, tmp_path, monkeypatch, capsys):
    from hybridrec.cli import hybridrec

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        hybridrec.main([str(argument) for argument in arguments], standalone_mode=False)
        return capsys.readouterr().out

    settings = {"window": 3, "dim": 8, "epochs": 5, "alpha": 0.05}
    sets = [f"components.word2vec.{key}={value}" for key, value in settings.items()]
    sets += [f"data.path={playlists}", "data.rows=708", "seed=8", "compare.resamples=100", "components.als.factors=4"]
    call("run", CONFIG, "--name", "small", *(f"--set={assignment}" for assignment in sets))
    (folder,) = tmp_path.glob("runs/small-*")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert {key: config["components"]["word2vec"][key] for key in settings} == settings
    assert (config["seed"], config["data"]["rows"]) == (8, 708)
    assert Run.open(folder).report.data.interactions == 708
    near = call("similar", folder, "nigth song 3 pt 1", "--component", "word2vec", "-n", "3")
    assert "is taken for 'The Nights - Night Song 3, Pt. 1'" in near
    assert near.count("The Nights - Night Song") >= 4
    assert "rank" in near
    assert "similarity" in near
    call("export", folder, "--format", "word2vec", "--set", "label=word2vec")
    first = (folder / "word2vec" / "word2vec.items.txt").read_text().splitlines()[:2]
    assert first[0].split()[1] == "8"
    assert first[1].startswith("The%20Days%20-%20Day%20Song%20")
    assert json.loads((folder / "report.json").read_text())["name"] == "small"
