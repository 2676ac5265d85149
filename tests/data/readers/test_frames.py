"""Frames in place of files: of every library alike, named in the config, asked for when a run is made again."""

import datetime

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import ConfigError, DataError
from hybridrec.api import plan
from hybridrec.config.load import load_experiment
from hybridrec.data.readers.frames import frame_names, polars_frames
from hybridrec.engine.runner import read
from hybridrec.registry.discovery import Registry

TABLES = {
    "interactions": {"user": "uid", "item": "song", "time": "at", "weight": "plays"},
    "items": {"id": "song", "text": ["title"], "tags": {"genre": "genre"}},
    "users": {"id": "uid", "title": "name"},
    "user_has": {"tags": {"user": "uid", "id": "tag"}},
    "item_has": {"tags": {"item": "song", "id": "tag"}},
    "assignments": {"tags": {"user": "uid", "item": "song", "id": "tag"}},
    "item_vectors": {"id": "song", "vector": "vector"},
}
CONFIG = {
    "name": "frames",
    "data": {"reader": "table", **TABLES},
    "split": {"use": "masked", "test": 0.3},
    "components": {"popularity": {}, "ease": {}},
    "pipelines": {
        "control": {"generators": [{"from": "popularity"}], "fallback": []},
        "hybrid": {"generators": [{"from": "ease"}], "fallback": ["popularity"]},
    },
    "targets": {"items": 5},
    "compare": {"control": "control", "metrics": ["ndcg@5"], "resamples": 100},
    "workers": 1,
}


def frames(users: int = 20) -> dict[str, pl.DataFrame]:
    """Seven tables, with integer ids, dates, a missing text and lists."""
    rng = np.random.default_rng(0)
    uids = np.repeat(np.arange(users), 6)
    songs = np.concatenate([rng.choice(12, 6, replace=False) for _ in range(users)])
    day = datetime.datetime(2024, 1, 1)
    return {
        "interactions": pl.DataFrame(
            {
                "uid": uids,
                "song": songs,
                "at": [day + datetime.timedelta(hours=hour) for hour in range(len(uids))],
                "plays": rng.integers(1, 5, len(uids)),
            }
        ),
        "items": pl.DataFrame(
            {"song": range(12), "title": [None, *(f"song {n}" for n in range(1, 12))], "genre": ["a|b", "c"] * 6}
        ),
        "users": pl.DataFrame({"uid": range(users), "name": [f"list {n}" for n in range(users)]}),
        "user_has.tags": pl.DataFrame({"uid": [0, 1], "tag": ["x", "y"]}),
        "item_has.tags": pl.DataFrame({"song": [3, 4], "tag": ["x", "z"]}),
        "assignments.tags": pl.DataFrame({"uid": uids[:3], "song": songs[:3], "tag": ["x", "y", "x"]}),
        "item_vectors": pl.DataFrame({"song": [1, 2], "vector": [[0.5, 1.0], [1.0, 0.0]]}),
    }


def fingerprint(data, config=CONFIG):
    return read(load_experiment(config, Registry(), (), data)).fingerprint


def changed(**tables):
    """The config with other tables; a table that is None is left out."""
    merged = TABLES | tables
    data = {"reader": "table", **{key: table for key, table in merged.items() if table is not None}}
    return CONFIG | {"data": data}


def test_frames_give_the_data_of_files(tmp_path):
    for name, frame in frames().items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    files = {}
    for name, table in TABLES.items():
        if "tags" in table and name not in ("items", "users"):
            path = str(tmp_path / f"{name}.tags.parquet")
            files[name] = {"tags": table["tags"] | {"path": path}}
        else:
            files[name] = table | {"path": str(tmp_path / f"{name}.parquet")}
    assert fingerprint(frames()) == fingerprint(None, changed(**files))


def test_frames_of_all_libraries_give_the_same_data():
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    given = frames()
    wanted = fingerprint(given)
    assert fingerprint({name: frame.lazy() for name, frame in given.items()}) == wanted
    tables = {name: frame.to_arrow() for name, frame in given.items()}
    assert all(isinstance(table, pyarrow.Table) for table in tables.values())
    assert fingerprint(tables) == wanted
    assert fingerprint({name: table.combine_chunks().to_batches()[0] for name, table in tables.items()}) == wanted
    assert fingerprint({name: table.to_reader() for name, table in tables.items()}) == wanted
    assert (
        fingerprint({name: pandas.DataFrame(frame.to_dict(as_series=False)) for name, frame in given.items()}) == wanted
    )


class Exported:
    """A frame of a library that knows nothing but the Arrow stream."""

    def __init__(self, frame):
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema=None):
        return self.frame.__arrow_c_stream__(requested_schema)


def test_a_frame_is_taken_through_the_arrow_stream():
    assert fingerprint({name: Exported(frame) for name, frame in frames().items()}) == fingerprint(frames())


def test_the_order_of_columns_and_an_index_change_nothing():
    given = frames()
    wanted = fingerprint(given)
    turned = {name: frame.select(frame.columns[::-1]) for name, frame in given.items()}
    assert fingerprint(turned) == wanted
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    indexed = {}
    for name, frame in turned.items():
        indexed[name] = pandas.DataFrame(frame.to_dict(as_series=False))
        indexed[name].index = [f"row {place}" for place in reversed(range(len(frame)))]
    assert fingerprint(indexed) == wanted


def test_a_run_from_frames_says_so_and_its_fits_are_found_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = hybridrec.run(CONFIG, data=frames(), store="store")
    assert sorted(first.lock["frames"]) == sorted(frames())
    assert "path: frame:interactions" in first.config
    turned = {name: frame.select(frame.columns[::-1]) for name, frame in frames().items()}
    again = hybridrec.run(first.folder / "config.yaml", data=turned, store="store")
    assert again.report.config_hash == first.report.config_hash
    assert all(fit.cached for fit in again.report.fits)
    assert again.slates("hybrid").equals(first.slates("hybrid"))
    assert {job.stored for job in plan(CONFIG, data=turned, store="store").jobs} == {1}


def test_the_lock_of_a_run_from_files_names_no_frames(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames()["interactions"].write_csv("plays.csv")
    tables = dict.fromkeys(TABLES) | {"interactions": {"path": "plays.csv", "user": "uid", "item": "song"}}
    assert hybridrec.run(changed(**tables), store="store").lock["frames"] == []


def test_a_run_from_frames_asks_for_them_when_it_is_refreshed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = CONFIG | {"refit": "all"}
    made = hybridrec.run(config, data=frames(), store="store")
    with pytest.raises(
        ConfigError, match=r"the run 'frames' is made from frames, and interactions, users, .* are missing"
    ):
        hybridrec.refresh(made, store="store")
    assert hybridrec.refresh(made, data=frames(), store="store") == []
    refreshed = hybridrec.refresh(made, data=frames(21), store="store")
    assert {component.label for component in refreshed} == {"popularity", "ease"}


def test_a_config_that_names_frames_cannot_be_run_without_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = frames()
    del data["users"]
    with pytest.raises(ConfigError, match=r"and users is missing: hand them in with data=\{'interactions': \.\.\., "):
        hybridrec.run(changed(users={"path": "frame:users", "id": "uid"}), data=data, store="store")
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("tables", "data", "message"),
    [
        ({}, {"interaction": 0}, r"config: data: the reader 'table' takes no table 'interaction' as a frame: "
         r"did you mean 'interactions'"),
        ({"items": None}, {}, r"config: data\.items: a frame was passed for it, and no columns are mapped"),
        ({"items": {"path": "items.csv", "id": "song"}}, {}, r"data\.items: has a path, and a frame was passed for it"),
        ({"items": {"text": ["title"]}}, {}, r"config: data\.items\.id: this key is required"),
        ({}, {"items": None}, r"config: data\.items\.path: this key is required"),
    ],
)  # fmt: skip
def test_tables_and_frames_that_do_not_fit_are_refused(tables, data, message):
    given = frames()
    if "interaction" in data:
        given["interaction"] = given["interactions"]
    if "items" in data:
        del given["items"]
    with pytest.raises(ConfigError, match=message):
        load_experiment(changed(**tables), Registry(), (), given)


def test_a_reader_without_tables_takes_no_frames():
    with pytest.raises(ConfigError, match="the reader 'setlists' takes no table 'interactions' as a frame"):
        load_experiment(CONFIG | {"data": {"reader": "setlists"}}, Registry(), (), frames())


def test_errors_name_the_frame_its_row_and_column():
    data = frames()
    data["interactions"] = data["interactions"].rename({"plays": "count"})
    with pytest.raises(DataError, match=r"^frame:interactions has no column 'plays'"):
        fingerprint(data)
    data = frames()
    broken = data["interactions"].with_columns(plays=pl.col("plays") - 1000)
    with pytest.raises(DataError, match=r"^frame:interactions, row 1: column 'plays' is -9\d\d, negative"):
        fingerprint(data | {"interactions": broken})


def test_a_frame_can_be_joined():
    joined = TABLES["interactions"] | {"weight": "factor", "join": {"path": "frame:factors", "match": {"song": "song"}}}
    factors = pl.DataFrame({"song": range(12), "factor": [2.0] * 12})
    experiment = load_experiment(changed(interactions=joined), Registry(), (), frames() | {"factors": factors})
    assert "factors" in frame_names(experiment.resolved["data"])
    assert set(read(experiment).interactions.weights) == {2.0}


def test_what_is_no_frame_is_refused():
    with pytest.raises(
        ConfigError, match=r"^data\['items'\]: takes a frame of Polars, pandas or Arrow, not builtins.list"
    ):
        polars_frames({"items": [1, 2]})
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    with pytest.raises(ConfigError, match=r"^data\['items'\]: cannot be converted through Arrow"):
        polars_frames({"items": pandas.DataFrame({"a": [1, "b", object()]})})


def test_a_search_takes_frames(tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    section = {"pipeline": "hybrid", "trials": 2, "search": "random", "space": {"components.ease.l2": [5.0, 500.0]}}
    components = {"popularity": {}, "ease": {"l2": 5.0}}
    tuned = hybridrec.tune(CONFIG | {"components": components, "tune": section}, data=frames(), store="store")
    run = hybridrec.run(tuned.config, data=frames(), store="store")
    assert run.report.tuning is not None


def test_the_frames_of_a_caller_are_not_written_to():
    given = frames()
    before = {name: frame.clone() for name, frame in given.items()}
    fingerprint(given)
    assert all(frame.equals(before[name]) for name, frame in given.items())
