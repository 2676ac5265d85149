"""The first config for files: readers recognise published data sets, everything else is a table."""

import re
import shutil
import types
from pathlib import Path

import pytest
import yaml

import hybridrec
import hybridrec_content
import hybridrec_linear
import hybridrec_neighbours
import hybridrec_tags
from hybridrec import ConfigError, DataError, PluginError, Starter, StarterConfig, hookimpl
from hybridrec.config.load import load_experiment
from hybridrec.config.starter import starting_config
from hybridrec.registry.discovery import Registry
from tests.founding_files import write_million_song

FIXTURES = Path(__file__).parents[1] / "plugins" / "fixtures"
CONFIGS = Path(__file__).parents[2] / "configs"
READERS = {
    "hetrec-lastfm": "hetrec-lastfm",
    "melon": "melon",
    "movielens-100k": "movielens",
    "movielens-10m": "movielens",
    "movielens-1m": "movielens",
    "movielens-latest": "movielens",
    "mpd": "mpd",
    "radio": "radio",
    "spotify": "spotify",
    "yes": "yes-radio",
}


@pytest.fixture
def start(tmp_path):
    """The lines about some files, the `data:` block of the config for them, and the checked experiment."""

    def write(*paths):
        registry = Registry()
        lines, text = starting_config(paths, tmp_path, registry)
        (tmp_path / "experiment.yaml").write_text(text, encoding="utf-8")
        return lines, yaml.safe_load(text)["data"], load_experiment(tmp_path / "experiment.yaml", registry)

    return write


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("how", ["the folder", "its files"])
def test_a_published_data_set_gets_its_reader(start, name, how):
    folder = FIXTURES / name
    lines, data, experiment = start(*([folder] if how == "the folder" else folder.iterdir()))
    assert data["reader"] == READERS[name]
    assert not Path(data.get("folder", data.get("path"))).is_absolute()
    assert f"recognised as what reader {READERS[name]} reads" in lines
    dataset = experiment.reader.read()
    assert lines[0].startswith(f"{len(dataset.interactions.ids)} interactions of {len(dataset.users)} users")


def test_a_part_of_a_published_data_set_is_a_table(start):
    _, data, _ = start(FIXTURES / "movielens-latest" / "ratings.csv")
    assert data["reader"] == "table"


def test_common_names_with_other_columns_are_tables(start, tmp_path):
    content = {
        "ratings": "user,item,stars\na,b,3\na,c,4\n",
        "movies": "item,title\nb,Heat\n",
        "tags": "item,tag\nb,x\n",
    }
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, text in content.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "README").write_text("what is here")
    _, data, _ = start(folder)
    assert data["reader"] == "table"
    assert data["interactions"]["path"] == "mine/ratings.csv"


def test_slices_that_are_not_all_of_their_folder_are_not_taken_for_it(start):
    with pytest.raises(DataError, match=r"mpd.slice.0-999.json holds JSON; right is"):
        start(FIXTURES / "mpd" / "mpd.slice.0-999.json")


def test_folders_of_parts_and_files_that_are_numbered_are_tables(start, tmp_path):
    plays = [f"{user},{song},2024-01-{user + song + 1:02}\n" for user in range(9) for song in range(user % 4 + 2)]
    for place in ("lake/plays/year=2023/part-0.csv", "lake/plays/year=2024/part-0.csv", "plays-1.csv", "plays-2.csv"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("user,song,day\n" + "".join(plays[place.count("2") % 2 :: 2]))
    (tmp_path / "lake/songs.csv").write_text("song,title\n" + "".join(f"{n},Song {n}\n" for n in range(6)))
    lines, data, experiment = start(tmp_path / "lake")
    assert data["interactions"]["path"] == "lake/plays"
    assert data["items"]["path"] == "lake/songs.csv"
    assert "plays: its 2 files are read as the parts of one table" in lines
    assert len(experiment.reader.read().interactions.ids) == len(plays)
    lines, data, experiment = start(tmp_path / "plays-1.csv", tmp_path / "plays-2.csv")
    assert data["interactions"]["path"] == "plays-*.csv"
    assert len(experiment.reader.read().interactions.ids) == len(plays)


def test_a_folder_of_nothing_that_can_be_read_is_refused(start):
    with pytest.raises(DataError, match=r"feature-lines: no reader recognises what is in it, and no file in it ends"):
        start(FIXTURES / "feature-lines")


SYSTEMS = {
    "melon": ("melon", {"items": 100, "tags": 10}, "masked", "melon"),
    "yes": ("song2vec", {"items": 25}, "each-position", "hit-rate@25"),
    "spotify": ("spotify", {"items": 100}, "masked", "ndcg@100"),
    "radio": ("song2vec-radio", {"items": 25}, "each-position", "hit-rate@25"),
    "mpd": ("mpd", {"items": 500}, "ten-categories", "artist-r-precision"),
}
"""Fixture -> config, targets, split and first metric of the system that was published on such data."""


@pytest.mark.parametrize("name", SYSTEMS)
def test_published_data_gets_the_config_of_the_system_published_on_it(start, tmp_path, name):
    config, targets, split, metric = SYSTEMS[name]
    for library in ("gensim", "implicit"):
        pytest.importorskip(library)
    lines, _, experiment = start(FIXTURES / name)
    assert f"the config is that of plugin:core/configs/{config}.yaml" in lines
    assert (experiment.config.name, experiment.config.targets) == (config, targets)
    assert (experiment.config.split.use, experiment.config.compare.metrics[0]) == (split, metric)
    assert experiment.config.refit == "all"
    text = (tmp_path / "experiment.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=.hybridrec/")
    assert "hybridrec run configs/" not in text, "commands of the shipped file are about another one"
    if name == "melon":
        assert "# as announced" in text
        assert "also for such data: plugin:core/configs/published/melonrec-w2v.yaml" in lines


def test_a_config_whose_library_is_missing_is_left_out_and_named(start, monkeypatch):
    for module in ("hybridrec.config.resolve", "hybridrec.config.starter"):
        monkeypatch.setattr(f"{module}.is_importable", lambda module: module not in ("implicit", "gensim"))
    lines, _, experiment = start(FIXTURES / "yes")
    assert any(line.startswith("left out a config: plugin:core/configs/song2vec.yaml:") for line in lines)
    assert "the config is that of" not in "".join(lines)
    assert list(experiment.config.components)[:2] == ["ease", "user-knn"]


def test_malformed_lines_are_skipped_and_told(start, tmp_path):
    folder = tmp_path / "melon"
    shutil.copytree(FIXTURES / "melon", folder)
    path = folder / "train.json"
    path.write_text(path.read_text(encoding="utf-8").replace("[{", '[{"id": 1}, {', 1), encoding="utf-8")
    lines, data, _ = start(folder)
    assert data["strict"] is False
    assert any("1 malformed line was skipped" in line for line in lines)


def test_triplets_without_a_header_are_plays_and_get_the_config_of_their_challenge(start, tmp_path):
    pytest.importorskip("implicit")
    folder = write_million_song(tmp_path / "million-song")
    (folder / "README.txt").write_text("What is here,\nand what is not.\n")
    lines, data, experiment = start(folder)
    assert data["interactions"]["path"] == "million-song/triplets.txt"
    assert data["interactions"] | {"user": "user", "item": "item", "weight": "count"} == data["interactions"]
    assert data["items"]["path"] == "million-song/songs.csv"
    assert "the config is that of plugin:core/configs/million-song.yaml" in lines
    published = load_experiment(CONFIGS / "published" / "three-stage.yaml", Registry())
    written, shipped = (each.reader.config.items.model_dump(exclude={"path"}) for each in (experiment, published))
    assert written == shipped
    assert experiment.config.compare.metrics[0] == "map@500"
    assert len(experiment.reader.read().users) == 200


PLAYS = "user,item\na,b\na,c\nd,b\nd,c\n"
BLEND = """\
components:
  als:
    factors: 64
    choose:
      alpha: [3, 1, 10]
  item-knn:
    choose:
      b: [0.2, 0, 0.75]
  ease: {}
  user-knn: {}
  popularity: {}
targets: {items: 20}
pipelines:
  control:
    generators:
    - {from: als, k: 200}
    fallback: [tag-fallback, popularity]
  hybrid:
    generators:
    - {from: als, k: 200}
    - {from: item-knn, k: 200}
    - {from: ease, k: 200}
    - {from: user-knn, k: 200}
    - {from: popularity, k: 200}
    scorers: [als, item-knn, ease, user-knn, popularity]
    rerank:
    - {use: validated, k: 10}
    fallback: [tag-fallback, popularity]
"""


@pytest.fixture
def proposed(tmp_path, monkeypatch):
    """The config for a small table, as text, with proposals of one more plugin; and the lines about it."""
    (tmp_path / "plays.csv").write_text(PLAYS)

    def write(*starters, block=()):
        registry = Registry(block=block)
        plugin = types.ModuleType("proposing")
        plugin.hybridrec_starters = hookimpl(lambda data: starters, specname="hybridrec_starters")
        registry.manager.register(plugin, "proposing")
        lines, text = starting_config([tmp_path / "plays.csv"], tmp_path, registry)
        return yaml.safe_load(text), lines, text

    return write


def test_plugins_propose_the_blend_and_its_fallback(proposed):
    pytest.importorskip("implicit")
    _, lines, text = proposed()
    assert BLEND in text
    assert not [line for line in lines if line.startswith("left out")]


def test_proposals_depend_on_the_data():
    profile = types.SimpleNamespace(items=20_000, tags=0)
    assert [starter.label for starter in hybridrec_linear.hybridrec_starters(profile)] == ["ease"]
    assert hybridrec_linear.hybridrec_starters(types.SimpleNamespace(items=20_001)) == []
    assert [starter.roles for starter in hybridrec_tags.hybridrec_starters(profile)] == [{"fallback"}]
    assert not hybridrec_content.hybridrec_starters(types.SimpleNamespace(texts=0, tagged_items=0))
    assert hybridrec_content.hybridrec_starters(types.SimpleNamespace(texts=1, tagged_items=0))
    assert not hybridrec_neighbours.hybridrec_starters(types.SimpleNamespace(users=200_001))
    profile.tags = 1
    assert [starter.roles for starter in hybridrec_tags.hybridrec_starters(profile)] == [
        {"fallback", "generator", "scorer"}
    ]


def test_priority_decides_the_order_and_the_first_proposal_of_a_label_counts(proposed):
    config, _, _ = proposed(
        Starter("newest", frozenset({"generator"}), label="zeta", priority=200),
        Starter("ease", frozenset({"generator"}), {"column_power": 0.5}, priority=150, choose={"l2": (50, 200)}),
        Starter("newest", frozenset({"generator"}), label="alpha", priority=200),
        Starter("trending", frozenset({"control", "fallback"}), {"half_life": 7}, label="lately", priority=300),
        Starter("newest", frozenset({"control", "fallback"}), label="lately", priority=150),
        Starter("greedy", frozenset({"fusion"}), {"k": 30}, priority=1),
    )
    assert config["pipelines"]["control"] == {
        "generators": [{"from": "lately", "k": 200}],
        "fallback": ["lately", "tag-fallback", "popularity"],
    }
    hybrid = config["pipelines"]["hybrid"]
    assert [generator["from"] for generator in hybrid["generators"]][:2] == ["alpha", "zeta"]
    assert hybrid["rerank"] == [{"use": "greedy", "k": 30}]
    assert list(config["components"])[:3] == ["lately", "alpha", "zeta"]
    assert config["components"]["lately"] == {"use": "trending", "half_life": 7}
    assert config["components"]["alpha"] == {"use": "newest"}
    assert config["components"]["ease"] == {"column_power": 0.5, "choose": {"l2": [50, 200]}}


def test_what_lacks_its_library_is_left_out_and_named(proposed, monkeypatch):
    monkeypatch.setattr("hybridrec.config.starter.is_importable", lambda module: module != "implicit")
    config, lines, _ = proposed()
    assert [generator["from"] for generator in config["pipelines"]["control"]["generators"]] == ["ease"]
    assert list(config["components"]) == ["ease", "user-knn", "popularity"]
    assert "left out 'als': the library 'implicit' is not installed: pip install 'hybridrec[implicit]'" in lines


def test_the_proposed_config_of_the_highest_priority_is_written_with_its_changes(proposed):
    def shipped(name, **more):
        return StarterConfig(f"plugin:core/configs/{name}.yaml", **more)

    changes = {"components.linear.l2": 7, "data.strict": False, "refit": "all"}
    config, lines, text = proposed(shipped("venues"), shipped("autoencoder", changes=changes, priority=1))
    assert "the config is that of plugin:core/configs/autoencoder.yaml" in lines
    assert "also for such data: plugin:core/configs/venues.yaml" in lines
    assert config["components"]["linear"]["l2"] == 7
    assert config["data"]["interactions"] == {"path": "plays.csv", "user": "user", "item": "item"}
    assert (config["data"]["strict"], config["refit"]) == (False, "all")
    assert "# nDCG@20 of songs and nDCG@10 of tags" in text
    assert "Two autoencoders complete" not in text


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("plugin:core/configs/autoencodr.yaml", "did you mean 'configs/autoencoder.yaml'?"),
        ("plugin:nobody/x.yaml", "no plugin is called 'nobody'"),
        ("nowhere.yaml", "No such file"),
    ],
)
def test_a_proposed_config_that_is_not_there_is_refused_with_its_name(proposed, file, told):
    with pytest.raises(PluginError, match=f"proposes {file}") as raised:
        proposed(StarterConfig(file))
    assert told in str(raised.value)


def test_a_proposed_change_that_makes_an_invalid_config_is_refused(proposed):
    with pytest.raises(PluginError, match=r"proposes plugin:core/configs/autoencoder\.yaml: .*components\.linear\.l3"):
        proposed(StarterConfig("plugin:core/configs/autoencoder.yaml", {"components.linear.l3": 7}))


def test_without_a_fusion_the_control_is_alone_and_without_models_there_is_no_config(proposed):
    config, _, _ = proposed(block=["fusion"])
    assert list(config["pipelines"]) == ["control"]
    with pytest.raises(ConfigError, match="no plugin proposes a generator for this data"):
        proposed(block=["fusion", "implicit", "linear", "neighbours", "tags", "baselines"])


WRONG = {
    "not a proposal": ("als", "must return a list of Starter or StarterConfig, got 'als'"),
    "unknown component": (Starter("eas", frozenset({"scorer"})), "'eas': unknown component 'eas': did you mean 'ease'"),
    "unknown role": (Starter("ease", frozenset({"fusoin"})), "'ease' as fusoin: did you mean 'fusion'"),
    "another stage": (Starter("ease", frozenset({"fusion"})), "'ease' as fusion, which must be a Reranker"),
    "wrong choice": (
        Starter("ease", frozenset({"scorer"}), choose={"l2": (1, -1)}),
        "'ease': 1 validation error",
    ),
    "wrong options": (Starter("ease", frozenset({"scorer"}), {"l3": 1}), "'ease': 1 validation error"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_proposal_is_refused_with_its_plugin(proposed, case):
    starter, told = WRONG[case]
    with pytest.raises(PluginError, match=re.escape(told)) as raised:
        proposed(starter)
    assert str(raised.value).startswith("module proposing, not of an installed plugin: hybridrec_starters")


def test_a_plugin_more_changes_no_config_key_or_report(experiment, tmp_path, monkeypatch):
    """It proposes components, offers one, and comes with a distribution of its own."""
    path = experiment()
    info = tmp_path / "site" / "proposing-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: proposing\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hybridrec]\nproposing = proposing\n")
    (info.parent / "proposing.py").write_text(PROPOSING)
    (info.parent / "plays.csv").write_text(PLAYS)
    without = load_experiment(path, Registry())
    first = hybridrec.run(path, store="one", runs="one-runs").report
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry = Registry()
    assert registry.get("components", "aardvark")
    assert "aardvark" in starting_config([info.parent / "plays.csv"], tmp_path, registry)[1]
    more = load_experiment(path, registry)
    assert (more.resolved, more.hash, more.notes) == (without.resolved, without.hash, without.notes)
    second = hybridrec.run(path, store="two", runs="two-runs").report
    assert lasting(second) == lasting(first)
    assert [fit.key for fit in second.fits] == [fit.key for fit in first.fits]


PROPOSING = """\
from hybridrec import Starter, hookimpl
from hybridrec_baselines.fixed_rankings import Newest


class Aardvark(Newest):
    name = "aardvark"


@hookimpl
def hybridrec_components():
    return [Aardvark]


@hookimpl
def hybridrec_starters(data):
    roles = frozenset({"control", "generator", "scorer", "fallback"})
    return [Starter("aardvark", roles, priority=1000)]
"""


def lasting(report):
    """A report without what differs between two runs of the same: times."""
    content = report.model_dump(mode="json")
    del content["seconds"]
    for fit in content["fits"]:
        del fit["seconds"]
    return content
