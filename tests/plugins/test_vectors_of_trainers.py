"""Vectors from files score as they are, and whoever has other items than the trainer saw is folded in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

import hybridrec
from hybridrec import DataError, Query, Ragged
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_implicit.vector_files import VectorFiles

TOY = toy_dataset()
ITEMS, USERS = TOY.items.vocabulary.ids.to_list(), TOY.users.vocabulary.ids.to_list()


def write(path: Path, ids, vectors, **names: str) -> Path:
    """Write a table of ids and vectors, whose columns may have other names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"id": list(ids), "vector": np.asarray(vectors, np.float32)}).rename(names).write_parquet(path)
    return path


def coloured(count: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((count, 4))
    return np.eye(2).repeat(2, axis=1)[np.arange(count) % 2] + 0.1 * noise


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """Works in a folder with the files of the contract: vectors that tell the colour of the toy's items and users."""
    folder = tmp_path_factory.mktemp("vectors")
    write(folder / "items.parquet", ITEMS[:-1], coloured(len(ITEMS) - 1, 1))
    write(folder / "users.parquet", USERS[:30], coloured(30, 2))
    with contextlib.chdir(folder):
        yield folder


BOTH = {"items": {"path": "items.parquet"}, "users": {"path": "users.parquet"}}
ALONE = {"items": BOTH["items"]}


class TestVectorFiles(ComponentContract):
    component = VectorFiles
    configs = (
        BOTH,
        ALONE,
        {**ALONE, "fold_in": "mean", "similarity": "cosine"},
        {**BOTH, "feedback": "explicit", "weighted": True, "similarity": "euclidean"},
    )
    learns_the_checkerboard = ("items",)


def factors(ids, seed: int) -> dict[str, np.ndarray]:
    """A random vector for each id."""
    return dict(zip(ids, np.random.default_rng(seed).standard_normal((len(ids), 4)), strict=True))


def model(tmp_path: Path, items=None, users=None, data=TOY, **options) -> VectorFiles:
    """The component on files with these vectors by id."""
    tables = {"items": items, "users": users}
    for kind, vectors in tables.items():
        if vectors is not None:
            options[kind] = {"path": str(write(tmp_path / f"{kind}.parquet", vectors, list(vectors.values())))}
    return VectorFiles(VectorFiles.Config(**options)).fit(data, np.random.default_rng(0))


def small():
    """Two users of four items: a has x and y, b has y (twice) and z; nobody has w."""
    plays = pl.DataFrame({"user": list("aabbb"), "item": list("xyyyz"), "weight": [1.0, 2, 2, 1, 5]})
    return hybridrec.assemble(hybridrec.Tables(plays, {"items": pl.DataFrame({"id": list("wxyz")})}))


VECTORS = {"x": [1, 0], "y": [1, 2], "z": [0, 1], "w": [3, 3]}
PEOPLE = {"a": [2, 1], "b": [0, -1]}


def scores(component: VectorFiles, data, *queries: Query) -> np.ndarray:
    """The score of x, y, z and w for each query."""
    asked = encode(list(queries), data)
    ids = np.tile(data.items.vocabulary.encode(list("xyzw")), (len(queries), 1)).astype(np.int32)
    return component.score(asked, ids, "items")


def test_a_user_of_the_file_scores_by_the_inner_product(tmp_path):
    data = small()
    component = model(tmp_path, VECTORS, PEOPLE, data)
    everybody = data.queries(np.array(data.users.vocabulary.encode(["a", "b"]), np.int32))
    ids = np.tile(data.items.vocabulary.encode(list("xyzw")), (2, 1)).astype(np.int32)
    np.testing.assert_allclose(
        component.score(everybody, ids, "items"), [[2, 4, 1, 9], [0, -2, -1, -3]], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("weighted", "r"), [(False, [1, 1]), (True, [3, 5])])
@pytest.mark.parametrize("per_item", [False, True])
@pytest.mark.parametrize("feedback", ["implicit", "explicit"])
def test_others_are_folded_in_by_least_squares(tmp_path, weighted, r, per_item, feedback):
    """y (2 + 1) and z (5) are what b has in the data; the equations are solved here anew."""
    data = small()
    component = model(tmp_path, VECTORS, data=data, weighted=weighted, per_item=per_item, feedback=feedback,
                      alpha=0.5, regularization=0.3)  # fmt: skip
    y, r = np.array([VECTORS["y"], VECTORS["z"]], float), np.array(r, float)
    every, ridge = np.array(list(VECTORS.values()), float), 0.3 * (2 if per_item else 1) * np.eye(2)
    if feedback == "implicit":
        left, right = every.T @ every + (y.T * 0.5 * r) @ y, (1 + 0.5 * r) @ y
    else:
        left, right = y.T @ y, r @ y
    user = np.linalg.solve(left + ridge, right)
    asked = data.queries(np.array(data.users.vocabulary.encode(["b"]), np.int32))
    ids = data.items.vocabulary.encode(list("xyzw")).reshape(1, -1)
    expected = [[user @ VECTORS[name] for name in "xyzw"]]
    np.testing.assert_allclose(component.score(asked, ids, "items"), expected, rtol=1e-4)


def test_or_by_the_mean_of_their_items(tmp_path):
    data = small()
    component = model(tmp_path, VECTORS, data=data, fold_in="mean")
    np.testing.assert_allclose(scores(component, data, Query(items=["x", "y"])), [[1, 3, 1, 6]], rtol=1e-5)


def test_the_vector_of_the_file_answers_for_the_items_of_the_training_part_alone(tmp_path):
    data = small()
    component = model(tmp_path, VECTORS, PEOPLE, data, fold_in="mean")
    own = [2, 4, 1, 9]
    given = scores(
        component, data, Query(user="a", items=["y", "x"]), Query(user="a", items=["x", "y", "z"]),
        Query(user="a", items=["z", "y"]), Query(items=["x", "y"]),
    )  # fmt: skip
    np.testing.assert_allclose(given[0], own, rtol=1e-5)
    for row, items in ((1, "xyz"), (2, "yz"), (3, "xy")):
        mean = np.mean([VECTORS[item] for item in items], axis=0)
        np.testing.assert_allclose(given[row], [mean @ VECTORS[name] for name in "xyzw"], rtol=1e-5)


def test_only_who_has_no_vector_is_folded_in(tmp_path, monkeypatch):
    data = small()
    component = model(tmp_path, VECTORS, PEOPLE, data)
    asked = []
    fold_in = component._folded_in
    monkeypatch.setattr(component, "_folded_in", lambda rows: asked.append(rows.ids.tolist()) or fold_in(rows))
    scores(component, data, Query(user="a", items=["x", "y"]), Query(items=["z"]))
    assert asked == [data.items.vocabulary.encode(["z"]).tolist()]


def test_a_user_whom_the_training_part_does_not_have_has_no_vector(tmp_path):
    """Vectors of the file may come from what the split hides: with nothing known there is no opinion."""
    data = small()
    hidden = replace(data, interactions=Ragged.from_rows([[], [1]], len(data.items)))
    component = model(tmp_path, VECTORS, PEOPLE, hidden)
    assert np.isnan(scores(component, hidden, Query(user="a"))).all()


def test_items_without_a_vector_are_neither_recommended_nor_heard(tmp_path):
    data = small()
    component = model(tmp_path, {"x": [1, 0], "y": [0, 1]}, data=data, fold_in="mean")
    given = scores(component, data, Query(items=["x", "z"]), Query(items=["z"]))
    np.testing.assert_allclose(given[0], [1, 0, np.nan, np.nan], atol=1e-6)
    assert np.isnan(given[1]).all()


def test_a_folder_of_another_program_is_read(tmp_path):
    for number, name in enumerate("xyzw"):
        write(tmp_path / f"items/part-{number}.parquet", [name], [VECTORS[name]], id="item", vector="features")
    (tmp_path / "items/_SUCCESS").write_text("")
    (tmp_path / "items/.part-0.parquet.crc").write_bytes(b"\1\2")
    data = small()
    source = {"path": str(tmp_path / "items"), "id": "item", "vector": "features"}
    from_parts = VectorFiles(VectorFiles.Config(items=source)).fit(data, np.random.default_rng(0))
    from_file = model(tmp_path / "one", VECTORS, data=data)
    np.testing.assert_array_equal(from_parts.vectors("items"), from_file.vectors("items"))


def test_numbers_are_ids_as_they_are_in_the_data(tmp_path):
    data = hybridrec.assemble(hybridrec.Tables(pl.DataFrame({"user": [7, 7, 8], "item": [1, 2, 2]})))
    component = model(tmp_path, {1: [1.0], 2: [2.0]}, {7: [3.0]}, data)
    everybody = data.queries(np.array(data.users.vocabulary.encode(["7"]), np.int32))
    np.testing.assert_allclose(component.score(everybody, np.array([[0, 1]], np.int32), "items"), [[3, 6]])


def test_a_bundle_needs_the_files_no_more(tmp_path, experiment):
    """Users of the run are answered by their vector, new ones by folding in, also after the files are gone."""
    data = hybridrec.load(hybridrec.run(experiment(("workers: 2", "workers: 2\nrefit: all")))).data
    people, songs = (data.vocabulary(kind).ids.to_list() for kind in ("users", "items"))
    vectors = {"items": factors(songs, 5), "users": factors(people, 6)}
    for kind, ids in (("items", songs), ("users", people)):
        write(tmp_path / f"{kind}.parquet", ids, list(vectors[kind].values()))
    more = "noise: {use: echo}\n  told: {use: vectors, items: {path: items.parquet}, users: {path: users.parquet}}"
    config = experiment(
        ("noise: {use: echo}", more),
        ("workers: 2", "workers: 2\nrefit: all"),
        ("scorers: [pop]", "scorers: [pop, told]"),
    )
    bundle = hybridrec.run(config).bundle(tmp_path / "told.hybridrec")
    for kind in vectors:
        (tmp_path / f"{kind}.parquet").unlink()
    recommender = hybridrec.load(bundle)
    component = recommender.components["told"]
    user = people[int(np.argmax(np.diff(data.interactions.offsets)))]
    row = data.queries(np.array(data.users.vocabulary.encode([user]), np.int32))
    ids = np.arange(len(songs), dtype=np.int32)[None]
    expected = [[vectors["users"][user] @ vectors["items"][song] for song in songs]]
    np.testing.assert_allclose(component.score(row, ids, "items"), expected, rtol=1e-4, atol=1e-5)
    new = encode([Query(items=songs[:3])], recommender.data)
    assert np.isfinite(component.score(new, ids, "items")).all()
    assert not np.allclose(component.score(new, ids, "items"), expected)


def test_changed_files_make_another_fit(tmp_path):
    config = VectorFiles.Config(items={"path": str(write(tmp_path / "items.parquet", ITEMS, coloured(40, 1)))})
    write(tmp_path / "items.parquet", ITEMS, coloured(40, 3))
    assert VectorFiles.Config(items={"path": str(tmp_path / "items.parquet")}) != config


@pytest.mark.parametrize(
    ("items", "users", "says"),
    [
        ({"q": [1, 2]}, None, "none of its ids \\(the first is 'q'\\) is one of the items"),
        (VECTORS, {"nobody": [1, 2]}, "none of its ids \\(the first is 'nobody'\\) is one of the users"),
        (VECTORS, {"a": [1, 2, 3]}, "vectors have 3 numbers, and 2 in "),
        ({"x": [1, np.nan], "y": [1, 1]}, None, "not a list of finite numbers"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, items, users, says):
    with pytest.raises(DataError, match=says):
        model(tmp_path, items, users, small())


def test_an_id_with_two_vectors_is_refused(tmp_path):
    path = write(tmp_path / "items.parquet", ["x", "y", "x"], [[1], [2], [3]])
    with pytest.raises(DataError, match="the id 'x' has several vectors"):
        VectorFiles(VectorFiles.Config(items={"path": str(path)})).fit(small(), np.random.default_rng(0))


def test_missing_files_are_refused_when_the_config_is_read_unless_their_digest_is_stated(tmp_path):
    (tmp_path / "empty").mkdir()
    for name, says in (("nowhere.parquet", "No such file"), ("empty", "holds no files of data")):
        path = str(tmp_path / name)
        with pytest.raises(ValidationError, match=f"the vectors cannot be read: .*{says}"):
            VectorFiles.Config(items={"path": path})
        assert VectorFiles.Config(items={"path": path, "digest": "ab"}).items.digest == "ab"
    there = {"path": str(write(tmp_path / "items.parquet", VECTORS, list(VECTORS.values())))}
    assert VectorFiles.Config(items={**there, "digest": "ab"}) == VectorFiles.Config(items=there)


def test_a_second_table_whose_changes_cannot_be_seen_is_refused(tmp_path):
    path = str(write(tmp_path / "items.parquet", VECTORS, list(VECTORS.values())))
    with pytest.raises(ValidationError, match="leave `join` out"):
        VectorFiles.Config(items={"path": path, "join": {"path": path, "match": {"id": "id"}}})


def test_files_that_change_after_the_config_was_read_are_refused(tmp_path):
    config = VectorFiles.Config(items={"path": str(write(tmp_path / "items.parquet", "xy", [[1.0], [2.0]]))})
    write(tmp_path / "items.parquet", "yx", [[1.0], [2.0]])
    with pytest.raises(DataError, match=r"items\.parquet changed while it was read"):
        VectorFiles(config).fit(small(), np.random.default_rng(0))


@pytest.mark.parametrize(
    "path", ["frame:items", "s3://bucket/items.parquet", "items/*.parquet", "items/part-?.parquet", "part[01].parquet"]
)
def test_a_place_whose_changes_cannot_be_seen_is_refused(path):
    with pytest.raises(ValidationError, match="on this machine"):
        VectorFiles.Config(items={"path": path})
