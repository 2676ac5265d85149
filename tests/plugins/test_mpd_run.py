"""A run on playlists in the format of the RecSys Challenge 2018: its questions, and its file of submission."""

import gzip
import json

import pytest
from click.testing import CliRunner

import hybridrec
from hybridrec.cli import hybridrec as commands
from hybridrec.evaluation.summary import result_table
from hybridrec.reporting.page import render
from hybridrec.runs import exporter
from hybridrec_playlists.submissions import MPDExporter

CONFIG = """
name: challenge
data: {reader: mpd, folder: mpd}
split: {use: ten-categories, test: 0.3}
components: {item-knn: {}, random: {}}
targets: {items: 500}
pipelines:
  neighbours: {generators: [{from: item-knn, k: 500}], fallback: [tag-fallback, popularity]}
compare:
  metrics: [artist-r-precision]
  borda: [artist-r-precision, ndcg@500, clicks@500]
  singles: true
  resamples: 100
refit: all
workers: 1
"""
URI = "spotify:track:{}".format


def playlist(pid, tracks, **more):
    """As in a slice."""
    about = [
        {
            "track_uri": URI(track),
            "track_name": f"track {track}",
            "artist_uri": f"spotify:artist:{track % 50}",
            "artist_name": f"artist {track % 50}",
            "album_uri": f"spotify:album:{track % 90}",
            "album_name": f"album {track % 90}",
        }
        for track in tracks
    ]
    return {"pid": pid, "tracks": about, **more}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run on 60 playlists of 20 tracks, and a challenge set of three."""
    pytest.importorskip("implicit")
    place = tmp_path_factory.mktemp("mpd")
    (place / "mpd").mkdir()
    lists = [playlist(n, [(12 * n + k) % 600 for k in range(20)], name=f"list {n}") for n in range(60)]
    asked = [
        playlist(1000002, [], name="list 7"),
        playlist(1000000, [40, 41, 42, 99999]),
        playlist(1000001, [300, 301], name="list 25"),
    ]
    for file, content in (("mpd/mpd.slice.0-999", lists), ("challenge_set", asked)):
        (place / f"{file}.json").write_text(json.dumps({"playlists": content}), encoding="utf-8")
    (place / "config.yaml").write_text(CONFIG, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def run(place):
    return hybridrec.run(place / "config.yaml", store=place / "store", runs=place / "runs")


def export(run, *options):
    given = ["export", run.folder, "--format", "mpd", *(word for option in options for word in ("--set", option))]
    env = {"HYBRIDREC_STORE": str(run.folder.parents[1] / "store")}
    return CliRunner().invoke(commands, list(map(str, given)), env=env)


def test_the_challenge_set_is_answered(run, place):
    questions = f"questions={place / 'challenge_set.json'}"
    done = export(run, "team=the neighbours", "email=us@example.org", questions)
    path = run.folder / "mpd" / "neighbours.csv.gz"
    assert done.output.split() == [str(path)]
    first, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert first == "team_info,the neighbours,us@example.org"
    answers = {line.split(",")[0]: line.split(",")[1:] for line in lines}
    assert list(answers) == ["1000002", "1000000", "1000001"]
    for tracks in answers.values():
        assert len({*tracks}) == len(tracks) == 500
    assert not {*answers["1000000"]} & {URI(40), URI(41), URI(42)}
    assert {*answers["1000001"][:4]} <= {URI(track) for track in range(280, 322)}


def test_points_for_places_stand_beside_the_metrics(run):
    arms = run.report.pipelines
    places = 0
    for metric, sign in (("artist-r-precision", 1), ("ndcg@500", 1), ("clicks@500", -1)):
        places += 1 + (sign * arms["neighbours"].metrics[metric].mean > sign * arms["random"].metrics[metric].mean)
    assert arms["item-knn"].duplicate_of == "neighbours"  # and is no third in the ranking
    points = {name: arm.borda for name, arm in arms.items()}
    assert points == {"neighbours": places, "item-knn": places, "random": 9 - places}
    headers, rows = result_table(run.report)
    assert (headers[-1], [float(row[-1]) for row in rows]) == ("borda", [places, places, 9 - places])
    headers, _ = result_table(run.report, "title")
    assert "borda" not in headers
    assert ">borda<" in render(run)


def test_what_a_run_asked_is_written_too(run, tmp_path):
    path, *_ = exporter.export(MPDExporter(MPDExporter.Config(team="a", email="b")), run, tmp_path)
    _, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert [line.split(",")[0] for line in lines] == list(run.queries()["unit"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("team=a",), "--format mpd --set: email: this key is required"),
        (
            ("team=Simon, Garfunkel", "email=a@example.org"),
            "team: a comma would split 'Simon, Garfunkel'",
        ),
        (("team=a", "email=b", "quesions=x.json"), "quesions: unknown key: did you mean 'questions'?"),
        (("team=a", "email=b", "questions=x.json"), "x.json: no such file. The Million Playlist Dataset"),
    ],
)
def test_what_is_missing_or_wrong_is_refused(run, options, told):
    assert told in str(export(run, *options).exception)
