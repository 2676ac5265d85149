"""A bundle holds all that serving takes: it is read anywhere, with the plugins that it names, or refused with why."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec import DataError, PluginError, Query, Run, StoreError, WriteError
from hybridrec.evaluation.summary import winner
from hybridrec.inference import array_file
from hybridrec.inference.array_file import manifest_of, read_artifact, write_artifact
from hybridrec.inference.servable import plugin_classes
from hybridrec.registry.discovery import Registry
from hybridrec.runs.bundle import BUNDLE, FORMAT, copy_bundle, read_bundle
from hybridrec.serving.lookup import find
from hybridrec.tracing import GROUP
from tests.conftest import CONFIG, TOYLAND

QUERIES = [Query(items=["item 02", "item 04"]), Query(tags=["tag 01"]), Query(text="even evening"), Query()]
RULES = ("    scorers: [pop]\n", "    scorers: [pop]\n    block: {ids: [item 06, item 08]}\n    seen: allow\n")
CHAIN = "{use: weighted, normalise: {use: softmax, temperature: 0.5}}, {use: popularity-correction}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that can serve, made once, with a learned fusion, rules, and a plugin among the options of another."""
    place = tmp_path_factory.mktemp("made")
    text = CONFIG.replace("workers: 2", "refit: all").replace(*RULES)
    text = text.replace("{use: weighted, weights: {ease: 1, pop: 0.2}}", CHAIN)
    learned = "  learned:\n    generators: [{from: ease, k: 20}]\n    scorers: [pop]\n"
    learned += "    fallback: [tag-fallback, popularity]\n"
    text = text.replace("compare:", f"{learned}    rerank: [{{use: validated, k: 5, min_queries: 5}}]\ncompare:")
    (place / "toy.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOYLAND))
        return hybridrec.run(place / "toy.yaml", runs=place / "runs", store=place / "store")


@pytest.fixture
def bundle(run, toyland, tmp_path, monkeypatch):
    """A copy of its bundle in an empty folder, which is where the work goes on."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    return run.bundle("toy.hybridrec")


def rewritten(path: Path, change) -> Path:
    """The bundle with another description, its checksums made anew."""
    about, state = manifest_of(path)["about"], read_artifact(path)
    change(about)
    path.unlink()
    write_artifact(path, "bundle", state, about)
    return path


@pytest.mark.parametrize("read", [read_bundle, lambda path: read_bundle(copy_bundle(path, Path("bare"), users=False))])
def test_a_bundle_that_is_replaced_while_it_is_read_is_the_old_one(bundle, monkeypatch, read):
    opened, other, before = array_file._opened, Path("other"), read(bundle)
    about, state = manifest_of(bundle)["about"], read_artifact(bundle)
    doubled = {name: array * 2 if array.dtype.kind == "f" else array for name, array in state.items()}
    write_artifact(other, "bundle", doubled, about | {"name": "other"})

    def then_replace(path):
        file = opened(path)
        if path == bundle and other.exists():
            other.replace(bundle)
        return file

    monkeypatch.setattr(array_file, "_opened", then_replace)
    after = read(bundle)
    assert not other.exists()
    assert (after.name, after.digest) == (before.name, before.digest)
    assert manifest_of(bundle)["about"]["name"] == "other"


def test_a_bundle_gives_what_the_run_gives_without_data_config_store_and_run(run, bundle, monkeypatch):
    served = hybridrec.load(run)
    expected = [served.recommend(QUERIES, pipeline=name, n=10) for name in served.pipelines]
    for module in ("hybridrec.config.load.load_experiment", "hybridrec.engine.store.Store.get"):
        monkeypatch.setattr(module, None)
    monkeypatch.setattr("toyland.ToyReader.read", None)
    assert list(Path().iterdir()) == [Path("toy.hybridrec")]
    recommender = hybridrec.load(bundle)
    assert list(recommender.pipelines) == ["control", "hybrid", "learned"]
    assert recommender.default == winner(run.report)
    for name, slate in zip(recommender.pipelines, expected, strict=True):
        answer = recommender.recommend(QUERIES, pipeline=name, n=10)
        assert np.array_equal(answer.ids, slate.ids)
        assert np.array_equal(answer.scores, slate.scores, equal_nan=True)
        assert answer.to_frame().equals(slate.to_frame())
    assert (
        recommender.recommend(Query(user="user 04")).ids.tolist()
        == served.recommend(Query(user="user 04")).ids.tolist()
    )


def test_explanations_neighbours_and_names_come_from_a_bundle(bundle):
    recommender = hybridrec.load(bundle)
    places = recommender.explain(QUERIES[0], 5)
    assert [place.id for place in places] == recommender.recommend(QUERIES[0], 5).to_frame()["id"].to_list()
    names = dict(zip(recommender.data.items.vocabulary.ids, recommender.data.items.text, strict=True))
    assert [place.name for place in places] == [names[place.id] for place in places]
    assert find("tag 03", recommender.data, "tags").id == "tag 03"
    assert len(recommender.similar("ease", "item 02", n=3)) == 3


def test_what_may_be_recommended_is_in_the_bundle(bundle):
    recommender = hybridrec.load(bundle)
    ids = recommender.recommend(Query(items=["item 02"]), n=100, pipeline="hybrid").to_frame()["id"].to_list()
    assert {"item 06", "item 08"}.isdisjoint(ids)
    assert "item 02" in ids


def test_a_plugin_among_the_options_is_named(run, toyland):
    classes = set(plugin_classes(read_bundle(run.folder / BUNDLE).pipelines["hybrid"].rerankers["items"][0]))
    assert {cls.name for cls in classes} == {"weighted", "softmax"}
    named = {plugin["module"] for plugin in manifest_of(run.folder / BUNDLE)["about"]["plugins"]}
    expected = {
        "toyland",
        "hybridrec.builtin",
        "hybridrec_baselines",
        "hybridrec_fusion",
        "hybridrec_linear",
        "hybridrec_rerank",
        "hybridrec_tags",
    }
    assert named == expected


def test_nothing_of_a_user_is_in_a_bundle_without_users(run, bundle):
    bare = run.bundle("bare.hybridrec", users=False)
    assert b"user 04" in bundle.read_bytes()
    assert b"user 04" not in bare.read_bytes()
    data = hybridrec.load(bare).data
    assert (len(data.users), len(data.interactions), data.users.text, data.user_matrix("tags").shape) == (
        0,
        0,
        (),
        (0, 12),
    )
    assert len(data.assignments) == 0
    whole = hybridrec.load(bundle).data
    assert (data.item_matrix("tags") != whole.item_matrix("tags")).nnz == 0
    assert data.vocabulary("items") == whole.vocabulary("items")
    assert copy_bundle(bare, Path("again.hybridrec"), users=False).read_bytes() == bare.read_bytes()
    with pytest.raises(DataError, match="holds no users"):
        copy_bundle(bare, Path("again.hybridrec"))


def test_without_users_a_query_is_answered_from_what_it_says_and_a_user_is_refused(run, bundle):
    whole, bare = hybridrec.load(bundle), hybridrec.load(run.bundle("bare.hybridrec", users=False))
    assert np.array_equal(bare.recommend(QUERIES).ids, whole.recommend(QUERIES).ids)
    for query in (Query(user="user 04"), Query(user="nobody", items=["item 02"])):
        for ask in (bare.recommend, bare.explain):
            with pytest.raises(DataError, match="this bundle was written without users"):
                ask(query)


def test_features_and_times_of_users_are_left_out_too(toyland, experiment):
    run = hybridrec.run(experiment(("workers: 2", "refit: all")))
    bare = hybridrec.load(run.bundle("bare.hybridrec", users=False))
    whole = hybridrec.load(run)
    assert (bare.data.users.features is None) == (whole.data.users.features is None)
    assert (bare.data.users.times is None) == (whole.data.users.times is None)
    assert bare.data.users.features is None or bare.data.users.features.matrix.shape[0] == 0
    assert bare.data.users.times is None or not len(bare.data.users.times)


@pytest.mark.parametrize("place", [0.3, 0.9])
def test_a_damaged_bundle_is_refused_with_its_name(bundle, place):
    content = bytearray(bundle.read_bytes())
    content[int(place * len(content))] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(StoreError, match=r"toy\.hybridrec"):
        hybridrec.load(bundle)


def test_a_damaged_bundle_of_a_run_is_refused(run, toyland, tmp_path):
    sent = Path(shutil.copytree(run.folder, tmp_path / "sent"))
    (sent / BUNDLE).write_bytes((sent / BUNDLE).read_bytes()[:-64])
    for ask in (hybridrec.load, lambda folder: Run.open(folder).bundle(tmp_path / "x.hybridrec")):
        with pytest.raises(StoreError, match=r"bundle\.hybridrec: damaged"):
            ask(sent)
    (sent / BUNDLE).unlink()
    with pytest.raises(StoreError, match=r"bundle\.hybridrec cannot be read: it is missing"):
        hybridrec.load(sent)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]\n", b"\x80\x04K\x01.", b"name: toy\n"])
def test_another_file_is_no_bundle(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(StoreError, match="x: the manifest cannot be read"):
        hybridrec.load(tmp_path / "x")
    write_artifact(tmp_path / "fit", "0" * 32, {"a": np.zeros(3)}, {"component": "als"})
    with pytest.raises(StoreError, match="fit is not a bundle"):
        hybridrec.load(tmp_path / "fit")


def test_a_bundle_of_another_format_names_who_wrote_it(bundle):
    rewritten(bundle, lambda about: about.update(bundle=9, hybridrec="7.1"))
    with pytest.raises(
        StoreError, match=rf"a bundle of format 9, written by hybridrec 7\.1; this version reads format {FORMAT}"
    ):
        hybridrec.load(bundle)
    rewritten(bundle, lambda about: about.update(bundle=FORMAT, pipelines={"x": {"generators": "all"}}))
    with pytest.raises(StoreError, match="its description is not that of a bundle"):
        hybridrec.load(bundle)


def test_a_missing_plugin_is_named_with_the_command_that_installs_it(bundle, monkeypatch):
    others = [entry for entry in importlib.metadata.entry_points(group=GROUP) if entry.name != "toyland"]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: others)
    message = r"needs the plugin 'toyland' of toyland 1\.5, which is not installed: pip install 'toyland==1\.5'"
    with pytest.raises(PluginError, match=message):
        hybridrec.load(bundle)


def test_a_component_that_its_plugin_no_longer_has_is_told(bundle, monkeypatch):
    monkeypatch.setattr("toyland.Echo.name", "echo-two")
    with pytest.raises(PluginError, match=r"components\.noise: unknown component 'echo'.*pip install"):
        hybridrec.load(bundle)


def test_options_that_the_installed_version_does_not_take_are_told(bundle):
    def change(about):
        about["components"]["ease"]["options"]["gone"] = 1

    rewritten(bundle, change)
    with pytest.raises(
        StoreError, match=r"(?s)the installed ease does not take the options of components\.ease.*pip install"
    ):
        hybridrec.load(bundle)


def test_a_re_ranker_of_another_version_is_refused(bundle, monkeypatch):
    monkeypatch.setattr(Registry().get("components", "validated"), "version", "99")
    with pytest.raises(
        StoreError, match=r"pipelines\.learned\.rerank\.0 was written by validated .*; the installed version 99"
    ):
        hybridrec.load(bundle)


def test_a_copy_that_cannot_be_written_is_told(run, tmp_path):
    with pytest.raises(WriteError, match="is a folder; name a file"):
        run.bundle(tmp_path)
    with pytest.raises(WriteError, match="cannot be written"):
        run.bundle(tmp_path / "nowhere" / "x.hybridrec")


SMALL = """\
name: small
data: {reader: toy}
split: {use: masked, test: 0.3}
components:
  als: {factors: 4, iterations: 2}
  ease: {l2: 5}
  user-knn: {neighbours: 5}
  word2vec: {dim: 4, epochs: 1}
LIGHTFM
targets: {items: 5}
pipelines:
  mine:
    generators: [{from: als, k: 10}, {from: ease, k: 10}, {from: user-knn, k: 10}]
    scorers: [word2vecSCORER]
    rerank: [{use: linear, k: 5, parts: 2}, {use: mmr}]
compare: {metrics: [ndcg@5], resamples: 100}
refit: all
"""
LIBRARIES = ("gensim", "implicit", "lightfm", "lightgbm", "sklearn", "optuna", "polars", "yaml", "jinja2")
SERVE = """\
import sys
blocked = set(sys.argv[2].split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from hybridrec import Query, load

recommender = load(sys.argv[1])
queries = [Query(items=["item 02", "item 04"]), Query(tags=["tag 01"]), Query(text="even evening")]
queries.append(Query(user="user 04"))
print(recommender.recommend(queries).ids.tolist())
print([place.id for place in recommender.explain(queries[0])])
loaded = {name.partition(".")[0] for name in sys.modules}
assert not blocked & loaded, blocked & loaded
others = {name for name in sys.modules if name.startswith(("hybridrec.evaluation", "hybridrec.data.readers",
    "hybridrec.data.splits", "hybridrec.engine", "hybridrec.config", "hybridrec_playlists", "hybridrec_catalogues"))}
assert not others, others
"""


def test_serving_needs_no_library_that_only_training_needs(experiment, toyland, tmp_path):
    for library in ("implicit", "gensim"):
        pytest.importorskip(library)
    lines, scorer = "", ""
    with suppress(ImportError), warnings.catch_warnings():  # there is no wheel of it for every platform
        warnings.simplefilter("ignore")
        import lightfm  # noqa: F401

        lines, scorer = "  lightfm: {epochs: 1, dim: 4}\n", ", lightfm"
    (tmp_path / "small.yaml").write_text(SMALL.replace("LIGHTFM\n", lines).replace("SCORER", scorer))
    run = hybridrec.run(tmp_path / "small.yaml")
    bundle = run.bundle(tmp_path / "small.hybridrec")
    shutil.rmtree(run.folder)
    recommender = hybridrec.load(bundle)
    queries = [*QUERIES[:3], Query(user="user 04")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SERVE, str(bundle), ",".join(LIBRARIES)],
        capture_output=True, text=True, cwd="/", env={**os.environ, "PYTHONPATH": str(toyland)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ids, explained = done.stdout.splitlines()
    assert ids == str(recommender.recommend(queries).ids.tolist())
    assert explained == str([place.id for place in recommender.explain(queries[0])])
