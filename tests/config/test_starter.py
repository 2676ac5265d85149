"""The first config for files: readers recognise published data sets, everything else is a table."""

import re
import types
from pathlib import Path

import pytest
import yaml

import hybridrec
import hybridrec_linear
import hybridrec_tags
from hybridrec import ConfigError, DataError, PluginError, Starter, hookimpl
from hybridrec.config.load import load_experiment
from hybridrec.config.starter import starting_config
from hybridrec.registry.discovery import Registry

FIXTURES = Path(__file__).parents[1] / "plugins" / "fixtures"
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


def test_a_folder_of_nothing_that_can_be_read_is_refused(start):
    with pytest.raises(DataError, match=r"feature-lines: no reader recognises what is in it, and no file in it ends"):
        start(FIXTURES / "feature-lines")


PLAYS = "user,item\na,b\na,c\nd,b\nd,c\n"
BLEND = """\
components:
  als: {factors: 64}
  item-knn: {}
  ease: {}
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
    scorers: [als, item-knn, ease]
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
    profile.tags = 1
    assert [starter.roles for starter in hybridrec_tags.hybridrec_starters(profile)] == [
        {"fallback", "generator", "scorer"}
    ]


def test_priority_decides_the_order_and_the_first_proposal_of_a_label_counts(proposed):
    config, _, _ = proposed(
        Starter("newest", frozenset({"generator"}), label="zeta", priority=200),
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


def test_what_lacks_its_library_is_left_out_and_named(proposed, monkeypatch):
    monkeypatch.setattr("hybridrec.config.starter.is_importable", lambda module: module != "implicit")
    config, lines, _ = proposed()
    assert [generator["from"] for generator in config["pipelines"]["control"]["generators"]] == ["ease"]
    assert list(config["components"]) == ["ease"]
    assert "left out 'als': the library 'implicit' is not installed: pip install 'hybridrec[implicit]'" in lines


def test_without_a_fusion_the_control_is_alone_and_without_models_there_is_no_config(proposed):
    config, _, _ = proposed(block=["fusion"])
    assert list(config["pipelines"]) == ["control"]
    with pytest.raises(ConfigError, match="no plugin proposes a generator for this data"):
        proposed(block=["fusion", "implicit", "linear", "tags", "baselines"])


WRONG = {
    "not a proposal": ("als", "must return a list of Starter, got 'als'"),
    "unknown component": (Starter("eas", frozenset({"scorer"})), "'eas': unknown component 'eas': did you mean 'ease'"),
    "unknown role": (Starter("ease", frozenset({"fusoin"})), "'ease' as fusoin: did you mean 'fusion'"),
    "another stage": (Starter("ease", frozenset({"fusion"})), "'ease' as fusion, which must be a Reranker"),
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
