"""A run on playlists in Melon's format: its score over songs and tags, the date filter, its questions and results."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

import hybridrec
from hybridrec import DataError
from hybridrec.api import plan
from hybridrec.cli import hybridrec as commands
from hybridrec.runs.exporter import export
from hybridrec_playlists import submissions
from tests.founding_files import write_melon

CONFIG = Path(__file__).parents[2] / "configs" / "melon.yaml"
SMALL = (
    "components.als.factors=8",
    "workers=1",
    "memory=1GB",
    "compare.resamples=200",
    "split.test=0.2",
    "data.strict=false",
)


@pytest.fixture(scope="module")
def melon(tmp_path_factory):
    return write_melon(tmp_path_factory.mktemp("melon"))


@pytest.fixture(scope="module")
def run(melon, tmp_path_factory):
    place = tmp_path_factory.mktemp("run")
    sets = (f"data.folder={melon}", "data.unplayed=true", "refit=all", *SMALL)
    return hybridrec.run(CONFIG, sets, store=place / "store", runs=place / "runs")


def test_check_and_report_tell_what_was_passed_over(run, melon, tmp_path):
    (told,) = [note for note in run.report.notes if "malformed" in note]
    assert told.startswith(f"{melon / 'train.json'}: 1 malformed line was skipped; line 1: no playlist with id")
    fits = plan(CONFIG, (f"data.folder={melon}", *SMALL), store=tmp_path)
    assert told in fits.notes


def test_the_score_is_the_weighted_sum_over_songs_and_tags(run):
    for pipeline in run.report.pipelines.values():
        metrics = pipeline.metrics
        wanted = 0.85 * metrics["melon-ndcg@100"].mean + 0.15 * metrics["tags/melon-ndcg@10"].mean
        assert metrics["melon"].mean == pytest.approx(wanted, rel=0.02)  # playlists without hidden tags count by songs
        assert metrics["melon"].ci95 is not None
    assert run.report.comparison[0].metric == "melon"


def test_nothing_is_recommended_before_it_is_out(run):
    queries = run.queries().select("query", year=2012 + (pl.col("unit").cast(pl.Int32) - 1000) % 8)
    for name in run.report.pipelines:
        slates = run.slates(name).join(queries.cast({"query": pl.Int32}), on="query")
        late = slates.filter(pl.col("id").cast(pl.Int32) % 3 == 0)
        assert len(slates)
        assert set(late["year"]) <= {2019}


def assert_whole(answer, shown):
    assert (len(answer["songs"]), len({*answer["songs"]})) == (100, 100)
    assert (len(answer["tags"]), len({*answer["tags"]})) == (10, 10)
    assert not {*answer["songs"]} & {int(song) for song in shown}


def test_the_results_file_is_whole(run, tmp_path):
    paths = export(submissions.MelonExporter(), run, tmp_path)
    assert [path.name for path in paths] == ["control.json", "hybrid.json"]
    for path in paths:
        answers = json.loads(path.read_text(encoding="utf-8"))
        queries = run.queries()
        assert [answer["id"] for answer in answers] == [int(unit) for unit in queries["unit"]]
        for answer, shown in zip(answers, queries["items"], strict=True):
            assert_whole(answer, shown)


def test_the_questions_of_the_challenge_are_answered(run, melon, tmp_path, monkeypatch):
    monkeypatch.setenv("HYBRIDREC_STORE", str(run.folder.parents[1] / "store"))
    options = ["--format", "melon", "--set", f"questions={melon / 'val.json'}", "-o", tmp_path]
    given = ["export", run.folder, *options]
    answered = CliRunner().invoke(commands, list(map(str, given)), catch_exceptions=False)
    assert answered.output.split() == [str(tmp_path / f"{name}.json") for name in ("control", "hybrid")]
    asked = json.loads((melon / "val.json").read_text(encoding="utf-8"))
    for name in ("control", "hybrid"):
        answers = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert [answer["id"] for answer in answers] == [5, 3, 4, 2]
        for answer, question in zip(answers, asked, strict=True):
            assert_whole(answer, question["songs"])
            assert not {*answer["tags"]} & {*question["tags"]}
            unreleased = [song for song in answer["songs"] if song % 3 == 0]
            assert bool(unreleased) == question["updt_date"].startswith("2019")
        # Who shows songs or tags is answered with those of the same kind.
        kinds = [np.mean([75 <= song < 150 for song in answer["songs"][:10]]) for answer in answers]
        assert kinds[0] < 0.5 < kinds[1]


def test_too_few_are_told(run, monkeypatch, tmp_path):
    monkeypatch.setattr(submissions, "SONGS", 500)
    with pytest.raises(DataError, match=r"'control' has 100 items for playlist \d+, but 500 are required"):
        export(submissions.MelonExporter(), run, tmp_path / "files")
    assert list(tmp_path.iterdir()) == []


def test_one_space_of_all_fields_is_asked_in_four_ways(melon, tmp_path):
    pytest.importorskip("gensim")
    small = ("dim=8", "epochs=1", "min_count=2", "repeat.user=2", "tokenizer.use=words")
    config = CONFIG.parent / "published" / "melonrec-w2v.yaml"
    sets = (f"data.folder={melon}", *SMALL[1:], *(f"components.space.{option}" for option in small), "refit=none")
    run = hybridrec.run(config, sets, runs=tmp_path / "runs", store=tmp_path / "store")
    assert list(run.report.pipelines) == [f"by-{way}" for way in ("mean", "voting", "clusters", "playlists")]
    for arm in run.report.pipelines.values():
        assert {"items+title", "items+tags+title", "tags+title", "title"} <= arm.segments.keys()
        assert 0 < arm.metrics["melon"].mean < 1


def test_the_sound_of_songs_answers_the_questions_of_the_challenge(tmp_path, call, monkeypatch):
    pytest.importorskip("gensim")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    write_melon(tmp_path / "melon", audio=True)
    assert call("reduce", "melon", "--dims", "8", "--moments", "8", "-o", "audio.parquet")[0] == 0
    small = ["components.latent.hidden=16", "components.latent.tag_dim=8", "components.latent.epochs=30", "seed=1"]
    sets = (f"data.folder={tmp_path / 'melon'}", f"data.item_vectors.path={tmp_path / 'audio.parquet'}", *SMALL, *small)
    run = hybridrec.run(CONFIG.with_name("melon-audio.yaml"), sets)
    assert list(run.report.pipelines) == ["latent", "hybrid"]
    status, _, err = call("export", run.folder, "--format", "melon", "--set", "questions=melon/val.json")
    assert (status, err) == (0, "")
    asked = json.loads((tmp_path / "melon" / "val.json").read_text(encoding="utf-8"))
    answers = json.loads((run.folder / "melon" / "latent.json").read_text(encoding="utf-8"))
    for answer, question in zip(answers, asked, strict=True):
        assert answer["id"] == question["id"]
        assert_whole(answer, question["songs"])
    # Songs from 150 on are on no playlist and have no tags; each 75 of them sound alike.
    recommender = hybridrec.load(run)
    vectors = recommender.components["latent"].vectors("items")
    songs = np.array([int(song) for song in recommender.data.items.vocabulary.ids])
    nearest = np.argsort(-vectors @ vectors[songs == 200][0])[:20]
    assert set(songs[nearest] // 75) == {2}
