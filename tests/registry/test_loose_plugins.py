"""Plugins without packaging: a file or a class is a plugin for one call, and nothing stale is ever taken for it."""

import json
import linecache
import pickle
import sys
from pathlib import Path

import pytest

import hybridrec
from hybridrec import ConfigError, FitContext, PluginError, Registry, Store
from hybridrec.config.experiment import ComponentSpec
from hybridrec.config.load import load_experiment
from hybridrec.engine.environment import preferred
from hybridrec.engine.keys import filter_key, fit_key
from hybridrec.registry.loose_plugins import loose_sources
from hybridrec.registry.plugin_files import located

SOURCE = '''
"""A file of somebody who packs nothing."""

import numpy as np
from hybridrec import DenseModel

FIRST = 0


class Named(DenseModel):
    def scores(self, queries, target):
        """Prefer the items from the first on."""
        order = np.arange(self.sizes[target], dtype=np.float32) - start()
        return np.tile(-np.abs(order * STEP), (len(queries), 1))


def start():
    return FIRST


STEP = 1


class Window(Named):
    """Proposes what lies in the window."""

    name = "window"

    def fit(self, data, rng):
        self.sizes = {"items": len(data.items), "tags": data.size("tags")}
        return self

    def state(self):
        return {name: np.array(size) for name, size in self.sizes.items()}

    def restore(self, state):
        self.sizes = {name: int(size) for name, size in state.items()}
        return self


class Other(Window):
    """Is not used."""

    name = "other"
'''
USED = ("noise: {use: echo}", "noise: {use: window}")
ONLY = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: weighted, weights: {noise: 1}}]")
SERVED = ("workers: 2", "workers: 2\nrefit: all")


@pytest.fixture
def plugin(tmp_path):
    """Writes the file of a plugin, with pieces of its text replaced, and returns its path."""

    def write(*replacements, name="mine.py"):
        text = SOURCE
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def cached(run):
    return {fit.label: fit.cached for fit in run.report.fits}


def figures(run):
    return {name: pipeline.segments["all"].metrics["ndcg@5"].mean for name, pipeline in run.report.pipelines.items()}


def from_text(text, name="made_of_text"):
    """Return the class `Window` of a text, as a shell would make it: without a source."""
    space = {"__name__": name}
    sys.modules[name] = type(sys)(name)
    exec(text, space)
    vars(sys.modules[name]).update(space)
    return space["Window"]


def test_an_edited_file_gives_other_figures_even_within_a_second_and_with_equal_size(experiment, plugin):
    config = experiment(USED, ONLY)
    first = hybridrec.run(config, plugins=[plugin()])
    again = hybridrec.run(config, plugins=[plugin()])
    assert cached(again)["noise"]
    assert figures(again) == figures(first)
    edited = hybridrec.run(config, plugins=[plugin(("FIRST = 0", "FIRST = 9"))])
    assert not cached(edited)["noise"]
    assert figures(edited)["hybrid"] != figures(first)["hybrid"]
    assert figures(edited)["control"] == figures(first)["control"]
    assert figures(hybridrec.run(config, plugins=[plugin()])) == figures(first)


def test_an_edit_elsewhere_in_the_file_keeps_the_fit(experiment, plugin):
    config = experiment(USED)
    hybridrec.run(config, plugins=[plugin()])
    edited = plugin(
        ('"other"', '"another"'), ("who packs nothing", "else  # a comment"), ("STEP = 1", "STEP = 1  # one")
    )
    assert cached(hybridrec.run(config, plugins=[edited]))["noise"]


@pytest.mark.parametrize(
    "edit",
    [
        ("return FIRST", "return FIRST + 1"),
        ("STEP = 1", "STEP = 2"),
        ('data.size("tags")', 'data.size("tags") + 0'),
        ("np.abs(order * STEP)", "abs(order * STEP)"),
        ('"window"\n', '"window"\n    folds_in = True\n'),
    ],
)
def test_an_edit_of_what_the_class_reaches_fits_again(experiment, plugin, edit):
    config = experiment(USED)
    hybridrec.run(config, plugins=[plugin()])
    assert not cached(hybridrec.run(config, plugins=[plugin(edit)]))["noise"]


def test_a_class_without_source_leaves_nothing_in_the_store_that_could_be_found_again(experiment, tmp_path):
    config = experiment(USED, ONLY)
    first = hybridrec.run(config, plugins=[from_text(SOURCE)], store=tmp_path / "store")
    kept = [artifact.about for artifact in Store(tmp_path / "store").artifacts()]
    assert {about.get("component") for about in kept} == {"ease", "popularity", "tag-fallback"}
    other = hybridrec.run(config, plugins=[from_text(SOURCE.replace("FIRST = 0", "FIRST = 9"))])
    assert figures(other)["hybrid"] != figures(first)["hybrid"]
    assert [note for note in first.report.notes if note.startswith("nothing that 'window' makes is kept")]
    assert not cached(hybridrec.run(config, plugins=[from_text(SOURCE)]))["noise"]


FILTER = """
import numpy as np
from hybridrec import Exclude, Filter

LEFT = 5


class Window(Filter):
    name = "first-few"

    def exclude(self, queries, target):
        return Exclude(ids=np.arange(queries.width(target)) >= LEFT)
"""


def test_a_filter_without_source_is_one_rule_of_all_pipelines(experiment):
    config = experiment(("\npipelines:", "\nfilters: [{use: first-few}]\npipelines:"))

    def keys(cls):
        pipelines = load_experiment(config, Registry(plugins=[cls])).pipelines.values()
        specs = [pipeline.filters[-1] for pipeline in pipelines]
        assert not any(spec.kept for spec in specs)
        return [filter_key(spec.filter, spec) for spec in specs]

    cls = from_text(FILTER)
    first, second = keys(cls)
    assert first == second
    assert first not in keys(cls)  # it may have changed since: nobody could tell


def test_a_filter_without_source_leaves_no_slate_in_the_store(experiment, tmp_path):
    config = experiment(("\npipelines:", "\nfilters: [{use: first-few}]\npipelines:"))
    runs = [
        hybridrec.run(config, plugins=[from_text(FILTER.replace("= 5", left))], store=tmp_path / "store")
        for left in ("= 5", "= 9")
    ]
    shown = [{int(item.split()[1]) for item in run.slates("hybrid")["id"]} for run in runs]
    assert (max(shown[0]), max(shown[1])) == (4, 8)
    assert all("component" in artifact.about for artifact in Store(tmp_path / "store").artifacts())
    assert len([note for note in runs[0].report.notes if note.startswith("nothing that 'first-few' makes")]) == 1


def test_a_class_of_a_notebook_cell_is_known_by_the_text_of_its_cell(experiment):
    config, name = experiment(USED), "cells"
    module = sys.modules[name] = type(sys)(name)

    def cell(number, text):
        file = f"<cell {number}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        exec(compile(text, file, "exec"), vars(module))
        return vars(module)["Window"]

    first = cell(1, SOURCE)
    hybridrec.run(config, plugins=[first])
    assert cached(hybridrec.run(config, plugins=[cell(2, f"# run again\n{SOURCE}")]))["noise"]
    vars(module)["FIRST"] = 7  # another cell
    run = hybridrec.run(config, plugins=[vars(module)["Window"]])
    assert not cached(run)["noise"]
    (told,) = [plugin for plugin in run.lock["environment"]["plugins"] if plugin["file"]]
    assert (told["name"], told["file"], told["offers"]) == ("Window", "notebook", {"components": ["window"]})


def test_the_lock_names_the_file_and_its_digest_and_no_distribution_is_made_up(experiment, plugin):
    run = hybridrec.run(experiment(USED), plugins=[plugin()])
    told = {
        plugin["name"]: plugin
        for plugin in json.loads((run.folder / "lock.json").read_text())["environment"]["plugins"]
    }
    assert told["mine"]["file"].endswith("mine.py")
    assert len(told["mine"]["digest"]) == 32
    assert (told["linear"]["file"], told["linear"]["distribution"]) == ("", "hybridrec")
    assert told["linear"]["offers"] == {"components": ["ease"]}
    assert "mine" not in run.report.environment.packages


def test_serving_asks_for_the_file_by_name_and_refuses_another_one(call, experiment, plugin, tmp_path):
    run = hybridrec.run(experiment(USED, SERVED), plugins=[plugin()])
    bundle = run.bundle(tmp_path / "served.hybridrec")
    for served in (run.folder, bundle):
        with pytest.raises(
            PluginError, match=r"needs the plugin 'mine' \(.*mine\.py, without packaging\): hand it over"
        ):
            hybridrec.load(served)
    slate = hybridrec.load(bundle, plugins=[plugin()]).recommend(hybridrec.Query(items=["item 01"]), 3)
    assert slate.ids.shape == (1, 3)
    assert call("recommend", bundle, "--item", "item 01", "--plugin", plugin())[0] == 0
    status, _, err = call("recommend", bundle, "--item", "item 01", "--plugin", plugin(("FIRST = 0", "FIRST = 3")))
    assert status == 3
    assert "was made with the plugin 'mine'" in err
    assert "what was learned may mean something else to it" in err
    assert hybridrec.refresh(run, plugins=[plugin()]) == []
    with pytest.raises(PluginError, match="needs the plugin 'mine'"):
        hybridrec.refresh(run)


def test_a_refreshed_run_still_names_its_file(experiment, plugin):
    run = hybridrec.run(experiment(USED, SERVED), plugins=[plugin()])
    assert "noise" in [each.label for each in hybridrec.refresh(run, ["data.users=50"], plugins=[plugin()])]
    with pytest.raises(PluginError, match="needs the plugin 'mine'"):
        hybridrec.load(run)
    assert hybridrec.load(run, plugins=[plugin()]).recommend(hybridrec.Query(items=["item 01"]), 3)


@pytest.mark.parametrize("command", ["run", "check", "show", "plugins", "check-plugin", "schema"])
def test_commands_take_files(call, experiment, plugin, command):
    argument = {"run": experiment(USED), "check": experiment(USED), "show": "window", "check-plugin": "window"}
    arguments = [argument[command]] if command in argument else []
    status, out, err = call(command, *arguments, "--plugin", plugin())
    assert status == 0
    progress = {"check-plugin": "window: ", "run": "fit test: "}.get(command)
    assert not err or (progress and err.startswith(progress))
    assert "window" in out or command == "run"


def test_a_file_may_use_the_hooks(plugin, tmp_path):
    hook = "\n\nfrom hybridrec import hookimpl\n\n\n@hookimpl\ndef hybridrec_components():\n    return [Window]\n"
    path = plugin(('name = "other"\n', f'name = "other"\n{hook}'))
    registry = Registry(plugins=[path])
    assert registry.get("components", "window").__name__ == "Window"
    assert "other" not in registry.names("components")
    starter = tmp_path / "starter.py"
    starter.write_text("from hybridrec import hookimpl\n\n@hookimpl\ndef hybridrec_starters(data):\n    return []\n")
    assert Registry(plugins=[starter]).manager.has_plugin("plugin_file_starter")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "import no_such_library",
            r"plugin 'bad' \(.*bad\.py, without packaging\) could not be loaded: ModuleNotFound",
        ),
        ("x = ", "SyntaxError"),
        ("x = 1", "defines no class of a plugin that has a `name`, and no hook"),
        ('requires_api = "1.99"\nfrom hybridrec import Later', "needs plugin API 1.99, this hybridrec has"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_as_somebody_named_it(tmp_path, text, message):
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(PluginError, match=message):
        Registry(plugins=[path])


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        ("nothing.py", "no such file"),
        ("plugin.yaml", "called like a module of Python"),
        (7, "as a class or as the path of a file, not as int"),
    ],
)
def test_other_values_are_no_plugins(plugin, message):
    with pytest.raises(ConfigError, match=message):
        loose_sources([plugin])
    with pytest.raises(ConfigError, match="given as a list"):
        Registry(plugins="mine.py")


def test_a_file_ships_no_configs_and_keeps_its_own_view_of_annotations(plugin):
    path = plugin(("STEP = 1\n", "STEP = 1\n\n\ndef f(x: int):\n    return x\n"))
    registry = Registry(plugins=[path])
    with pytest.raises(ConfigError, match="is a single module, which ships no files"):
        located(Path("plugin:mine/a.yaml"), registry)
    assert sys.modules["plugin_file_mine"].f.__annotations__ == {"x": int}


def test_a_worker_in_another_process_loads_the_same_file_and_makes_the_same_keys(plugin, tmp_path):
    def key(registry):
        cls = registry.get("components", "window")
        return fit_key(ComponentSpec.of("noise", "", cls, cls.Config(), registry), "0" * 32, 1)

    context = FitContext(Store(tmp_path), Registry(plugins=[plugin()]))
    sent = pickle.dumps(context)
    assert key(pickle.loads(sent).registry) == key(context.registry)
    plugin(("FIRST = 0", "FIRST = 1"))
    assert key(Registry(plugins=[tmp_path / "mine.py"])) != key(context.registry)


def test_two_files_of_one_name_are_refused(plugin, tmp_path):
    (tmp_path / "below").mkdir()
    with pytest.raises(ConfigError, match="two plugins without packaging are called 'mine'"):
        Registry(plugins=[plugin(), plugin(name="below/mine.py")])


def test_what_is_handed_over_comes_before_what_is_installed(experiment, plugin, capsys):
    path = plugin(('"window"', '"ease"'))
    registry = Registry(plugins=[path])
    assert registry.get("components", "ease").__name__ == "Window"
    assert registry.get("components", "hybridrec/ease").__name__ != "Window"
    run = hybridrec.run(experiment(("{l2: 5}", "{}")), plugins=[path])
    assert "that of plugin 'mine'" in capsys.readouterr().err
    assert preferred(run.report.environment.plugins)["components", "ease"] == "mine"


def test_a_class_composed_in_python_is_asked_for_where_it_is_not_handed_over(experiment, plugin):
    cls = from_text(SOURCE)
    config = {
        "name": "a",
        "data": {"reader": "toy"},
        "split": {"use": "masked"},
        "components": {"a": hybridrec.use(cls)},
    }
    config["pipelines"] = {"p": {"generators": [{"from": "a"}]}}
    with pytest.raises(ConfigError, match=r"plugins=\[Window\]"):
        hybridrec.plan(config)
    assert hybridrec.plan(config, plugins=[cls]).jobs[0].component == "window"
