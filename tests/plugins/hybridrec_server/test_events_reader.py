"""The reader `events`: a dataset of what was served and done, alone or beside what was there before."""

import time

import numpy as np
import polars as pl
import pytest
import yaml

import hybridrec
from hybridrec import DataError
from hybridrec.data.readers import row_blocks
from hybridrec.testing import ReaderContract
from hybridrec_server.journal import tables
from hybridrec_server.journal.folder import LogFolder
from hybridrec_server.journal.frames import MARK, frame
from hybridrec_server.journal.reader import EventsOptions, EventsReader
from hybridrec_server.journal.rotation import rotate
from hybridrec_server.state.base import Event
from tests.plugins.hybridrec_server.test_journal import served

START = time.time()


def fill(path, *, kinds=("play", "like", "seen"), rotated=20, number=40):
    """Write a log of some people, half of it in Parquet; return its folder."""
    folder = LogFolder(path)
    folder.make()
    records = [
        frame(
            Event(
                id=f"e{n}",
                unit=f"person {n % 6}",
                item=f"song {(n * 5) % 7}",
                kind=kinds[n % len(kinds)],
                time=START + n * 3600,
                received=START,
                value=float(n % 3 + 1) if n % 2 else None,
            )
        )
        for n in range(number)
    ]
    folder.segment(1).write_bytes(b"".join(records[:rotated]))
    rotate(folder, 2)
    # The last record of the first file once more: a rotation was repeated.
    folder.segment(2).write_bytes(
        b"".join(records[rotated - 1 :]) + frame(served("r1", ["song 1", "song 2"], "person 1"))
    )
    return path


def read(folder=None, **options):
    return EventsReader(EventsOptions.model_validate(options, context={"folder": folder})).read()


def pairs(data):
    users, items = (each.vocabulary.ids.to_list() for each in (data.users, data.items))
    return {
        (users[user], items[item]) for user, item in zip(data.interactions.rows, data.interactions.ids, strict=True)
    }


def recommended(run):
    return hybridrec.load(run.folder).recommend([hybridrec.Query(items=["song 1"])], 5).to_frame()["id"].to_list()


class TestEventsReader(ReaderContract):
    reader = EventsReader
    configs = [{"log": "log"}, {"log": "log", "kinds": {"play": 1, "like": 3, "seen": 0}}]

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        fill(tmp_path / "log")
        monkeypatch.chdir(tmp_path)


def test_each_event_is_an_interaction_once(tmp_path):
    data = read(log=fill(tmp_path / "log"))
    expected = [n for n in range(40) if n % 3 != 2]  # those seen only are not
    assert len(data.interactions.ids) == len(expected)
    assert pairs(data) == {(f"person {n % 6}", f"song {(n * 5) % 7}") for n in expected}


def test_kinds_weigh_and_dislike_as_in_tables(tmp_path):
    log = fill(tmp_path / "log", kinds=("play", "dislike", "buy"))
    by_default = read(log=log)
    assert by_default.dislikes is not None
    assert len(by_default.dislikes.ids)
    table = tmp_path / "events.csv"
    rows = [
        (f"person {n % 6}", f"song {(n * 5) % 7}", START + n * 3600, ("play", "dislike", "buy")[n % 3])
        for n in range(40)
    ]
    pl.DataFrame(rows, ["unit", "item", "time", "kind"], orient="row").write_csv(table)
    kinds = {"play": 1, "buy": 5, "dislike": -1}
    mapping = {"path": table, "user": "unit", "item": "item", "time": "time", "event": "kind"}
    as_table = hybridrec.TableReader(
        hybridrec.TableOptions.model_validate({"interactions": mapping, "kinds": kinds})
    ).read()
    assert read(log=log, kinds=kinds).fingerprint == as_table.fingerprint


def test_a_kind_without_a_meaning_is_an_error_that_says_what_to_write(tmp_path):
    log = fill(tmp_path / "log", kinds=("play", "report"))
    with pytest.raises(DataError, match=r"kind 'report'.*`kinds`, such as {play: 1, report: 1}"):
        read(log=log)
    assert len(read(log=log, kinds={"play": 1, "report": -1}).interactions.ids) == 20


def test_interactions_from_before_and_descriptions_come_from_files(tmp_path):
    log = fill(tmp_path / "log")
    (tmp_path / "plays.csv").write_text("who,song,at\nperson 1,song 9,2020-01-01\nann,song 1,2020-01-02\n")
    (tmp_path / "songs.csv").write_text("id,name\nsong 9,Nine\nsong 10,Ten\n")
    before = {"path": "plays.csv", "user": "who", "item": "song", "time": "at", "event_kind": "play"}
    items = {"path": "songs.csv", "id": "id", "text": ["name"]}
    data = read(tmp_path, log=log, interactions=before, items=items)
    assert {("person 1", "song 9"), ("ann", "song 1"), ("person 1", "song 5")} <= pairs(data)
    assert data.items.text[data.items.vocabulary.encode(pl.Series(["song 10"]))[0]] == "Ten"
    with pytest.raises(DataError, match="need a kind"):
        read(tmp_path, log=log, interactions={**before, "event_kind": None})
    with pytest.raises(DataError, match="the log has no `group`"):
        read(tmp_path, log=log, interactions={**before, "group": "at"})


def test_exposures_may_be_impressions(tmp_path):
    shown = {"path": "frame:exposures", "user": "unit", "item": "item", "time": "time"}
    data = read(log=fill(tmp_path / "log"), impressions=shown)
    assert data.impressions is not None


def test_values_of_events_may_be_weights(tmp_path):
    log = fill(tmp_path / "log", kinds=("play",))
    mapping = {
        "path": "frame:events",
        "user": "unit",
        "item": "item",
        "time": "time",
        "event": "kind",
        "weight": "value",
    }
    data = read(log=log, interactions=mapping)
    assert data.interactions.weights.sum() == sum((n % 3 + 1) if n % 2 else 1 for n in range(40))


def test_an_empty_log_and_another_folder_are_named(tmp_path):
    fill(tmp_path / "log", number=0, rotated=1)
    with pytest.raises(DataError, match="no events yet"):
        read(log=tmp_path / "log")
    with pytest.raises(DataError, match="not the folder of a log"):
        read(log=tmp_path)


def test_init_recognises_a_log_and_run_and_refresh_learn_from_it(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    log = fill(tmp_path / "log", number=200)
    assert call("init", "log", "-o", "mine.yaml")[0] == 0
    config = yaml.safe_load((tmp_path / "mine.yaml").read_text())
    assert config["data"] == {"reader": "events", "log": "log"}
    config = {
        "name": "learned",
        "data": {"reader": "events", "log": "log"},
        "split": {"use": "leave-one-out"},
        "components": {"popularity": {}},
        "pipelines": {"popularity": {"generators": [{"from": "popularity"}], "fallback": []}},
        "compare": {"control": "popularity", "metrics": ["ndcg@5"], "resamples": 100},
        "refit": "all",
    }
    (tmp_path / "learned.yaml").write_text(yaml.safe_dump(config))
    run = hybridrec.run("learned.yaml")
    assert "song new" not in recommended(run)
    records = [
        Event(id=f"n{n}", unit=f"new {n}", item="song new", kind="play", time=START, received=START) for n in range(90)
    ]
    LogFolder(log).segment(3).write_bytes(b"".join(map(frame, records)))
    assert hybridrec.refresh(run)
    assert recommended(run)[0] == "song new"
    # The state still has the events that the bundle has learned from: they count once.
    recommender = hybridrec.load(run.folder)
    learned = hybridrec.Query(user="person 1", recent=["song 5"], recent_times=[START + 3600])
    later = hybridrec.Query(user="person 1", recent=["song 5"], recent_times=[START + 3601])
    lengths = recommender.encode([hybridrec.Query(user="person 1"), learned, later]).history.lengths.tolist()
    assert lengths == [lengths[0], lengths[0], lengths[0] + 1]


@pytest.mark.parametrize("kinds", [("play", "like", "seen"), ("play", "dislike", "buy")])
def test_a_log_that_is_read_in_parts_and_blocks_is_the_same_data(tmp_path, monkeypatch, kinds):
    log = fill(tmp_path / "log", kinds=kinds, number=90)
    options = {"log": log, "impressions": {"path": "frame:exposures", "user": "unit", "item": "item"}}
    at_once = read(**options)
    monkeypatch.setattr(tables, "PART", 7)
    monkeypatch.setattr(row_blocks, "LONG", 0)
    monkeypatch.setattr(row_blocks, "BLOCK", 10)
    blocks, read_blocks = row_blocks.FileBlocks.__iter__, []
    monkeypatch.setattr(
        row_blocks.FileBlocks, "__iter__", lambda self: (read_blocks.append(b) or b for b in blocks(self))
    )
    parts = [len(rows) for rows in tables.distinct_parts(LogFolder(log), "events")]
    assert len(parts) == 13
    assert sum(parts) == 90
    in_parts = read(**options)
    assert len(read_blocks) > 1
    assert in_parts.fingerprint == at_once.fingerprint
    for name, array in at_once.state().items():
        np.testing.assert_array_equal(in_parts.state()[name], array, err_msg=name)


def test_messages_about_events_name_the_table_and_not_its_copy(tmp_path):
    log = fill(tmp_path / "log", number=0, rotated=1)
    events = [Event(id=f"e{n}", unit=("ann", " ")[n], item="song", kind="play", time=n, received=n) for n in range(2)]
    LogFolder(log).segment(5).write_bytes(b"".join(map(frame, events)))
    with pytest.raises(DataError, match=r"^frame:events/00000, row 1: "):
        read(log=log)
    reader = EventsReader(EventsOptions(log=log, strict=False))
    assert len(reader.read().users) == 1
    (note,) = reader.notes()
    assert note.startswith("frame:events/00000: 1 malformed line was skipped")


def test_damage_in_the_middle_of_the_journal_is_noted(tmp_path):
    log = LogFolder(fill(tmp_path / "log"))
    whole = log.segment(2).read_bytes()
    shown = {"path": "frame:exposures", "user": "unit", "item": "item"}  # read from the same files
    reader = EventsReader(EventsOptions(log=log.path, impressions=shown))
    reader.read()
    assert reader.notes() == []
    second = whole.index(MARK, 1)
    log.segment(2).write_bytes(whole[: second + 30] + b"x" + whole[second + 31 :])
    reader.read()
    (note,) = reader.notes()
    length = whole.index(MARK, second + 1) - second
    assert (
        note == f"{log.segment(2)}: {length} bytes are not records, as the disk lost or changed them; they were skipped"
    )


def test_a_damaged_parquet_file_is_named(tmp_path):
    log = fill(tmp_path / "log")
    (path,) = (log / "events").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=f"{path} cannot be read: "):
        read(log=log)
    kinds = pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise("kind")
    pl.read_parquet(whole).with_columns(kind=kinds).write_parquet(path)
    with pytest.raises(DataError, match="log: 3 events have no kind; a file is damaged"):
        read(log=log)
