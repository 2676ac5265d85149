"""Broken plugins are told apart, do no harm to the others, and are raised when they are asked for."""

import importlib
import re
import sys

import pytest

from hybridrec import API_VERSION, ConfigError, PluginError, run
from hybridrec.registry import discovery
from hybridrec.registry.discovery import Registry
from tests import fake_plugin

BROKEN = {
    "import_error": "RuntimeError: half of me is missing",
    "missing_dependency": "ModuleNotFoundError: No module named 'no_such_library'",
    "exit_at_import": "SystemExit: no licence",
    "misspelt_hook": "unknown hook 'hybridrec_component': did you mean 'hybridrec_components'? Available: hybridrec_c",
    "wrong_signature": "Argument(s) {'config'} are declared in the hookimpl but can not be found in the hookspec",
    "unmarked_hook": "unmarked_hook_plugin implements no hook: is `@hookimpl` missing",
    "not_a_class": "hybridrec_components must return classes derived from Component, got 'nothing'",
    "not_a_list": "hybridrec_components must return a list of classes derived from Component, got <class",
    "wrong_kind": "hybridrec_readers returned Nothing, which belongs in hybridrec_components",
    "abstract": "Nothing does not implement candidates",
    "nameless": "Nothing has no `name`",
    "old_api": f"old_api_plugin was written for plugin API 0.9, this hybridrec has {API_VERSION}: look for a later",
    "new_api": f"new_api_plugin needs plugin API 1.99, this hybridrec has {API_VERSION}: upgrade hybridrec",
}
MISBEHAVING = {
    "nan_scores": "candidates: an id of query 0 has the score nan",
    "wrong_dtype": "candidates: scores must be float32, not float64",
    "ids_out_of_range": "candidates: id 40 of query 0 is not in the vocabulary of 40",
}


@pytest.fixture
def install(install_fakes):
    """Makes fake plugins visible, as if pip had installed them, and returns a registry that loaded them."""

    def put(*faults):
        install_fakes(*faults)
        return Registry()

    return put


def provider(registry, distribution):
    (providers,) = [p for p in registry.providers if p.distribution == distribution.replace("_", "-")]
    return providers


def test_every_fake_plugin_is_tested():
    checked = {"drops_candidates", "private_imports", "hungry", "declares_checks"}
    assert fake_plugin.SOURCES.keys() == {*BROKEN, *MISBEHAVING, *checked, "good", "clash", "slow_import"}


def test_a_good_plugin_is_found_with_version_and_origin_even_where_its_entry_point_has_a_taken_name(install):
    registry = install("good")
    provided = provider(registry, "good")
    assert (provided.name, provided.version, provided.error) == ("tags", "1.2", None)
    assert provided.offers == {"components": ["nothing"]}
    assert registry.get("components", "nothing").name == "nothing"
    assert registry.get("components", "tag-fallback").name == "tag-fallback"
    assert registry.provider_of(registry.get("components", "nothing")) is provided
    assert str(provided) == "plugin 'tags' (good 1.2, module good_plugin)"


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_remembered_with_its_cause(install, case):
    registry = install(case)
    provided = provider(registry, case)
    assert provided in registry.broken
    assert provided.offers == {}
    assert BROKEN[case] in f"{type(provided.error).__name__}: {provided.error}"
    assert registry.get("components", "ease").name == "ease"
    assert not [plugin for plugin in registry.manager.get_plugins() if plugin.__name__ == f"{case}_plugin"]


def test_all_at_once_do_no_harm_to_an_experiment_that_needs_none_of_them(install, experiment):
    broken = install(*fake_plugin.SOURCES).broken
    assert {p.distribution.replace("-", "_") for p in broken} >= {*BROKEN}
    report = run(experiment(("  ease: {l2: 5}\n", "  als: {factors: 4}\n"), ("ease", "als"))).report
    assert report.pipelines.keys() == {"control", "hybrid"}
    assert "good" not in report.environment.packages  # the experiment uses nothing of it


@pytest.mark.parametrize("case", MISBEHAVING)
def test_what_a_generator_may_not_return_is_reported_with_plugin_version_and_pipeline(install, experiment, case):
    name = case.replace("_", "-")
    install(case)
    config = experiment(
        ("noise: {use: echo}", f"noise: {{use: {name}}}"),
        ("targets: {items: 10, tags: 5}", "targets: {items: 10}"),
        (", tags/ndcg@5", ""),
    )
    with pytest.raises(PluginError, match=re.escape(MISBEHAVING[case])) as info:
        run(config)
    (note,) = info.value.__notes__
    assert re.fullmatch(rf"in pipeline 'hybrid', generator 'noise': {name} 1, plugin '{case}' \({name} 1\.0\)", note)


def test_what_a_reranker_may_not_return_is_reported_too(install, experiment):
    install("drops_candidates")
    name = "drops-candidates"
    with pytest.raises(PluginError, match="other candidates than it was given") as info:
        run(experiment(("{use: weighted, weights: {ease: 1, pop: 0.2}}", f"{{use: {name}}}")))
    (note,) = info.value.__notes__
    assert note == f"in pipeline 'hybrid', re-ranker '{name}': {name} 1, plugin 'drops_candidates' ({name} 1.7)"


def test_slow_imports_are_noticed(install, monkeypatch):
    monkeypatch.delitem(sys.modules, "slow_import_plugin", raising=False)
    monkeypatch.setattr(discovery, "SLOW", 0.04)
    assert "slow-import" in [slow.distribution for slow in install("slow_import").slow]


@pytest.mark.parametrize("wanted", ["1.0", None])
def test_the_api_a_plugin_was_written_for_is_accepted(install, monkeypatch, wanted):
    good = importlib.import_module("good_plugin") if install("good") else None
    monkeypatch.setattr(good, "requires_api", wanted, raising=False)
    assert Registry().get("components", "nothing")


def test_an_api_version_is_text(install, monkeypatch):
    install("good")
    monkeypatch.setattr(importlib.import_module("good_plugin"), "requires_api", 1, raising=False)
    assert "write the version of the API" in str(provider(Registry(), "good").error)


@pytest.mark.parametrize("name", ["import_error", "import-error"])
def test_a_blocked_plugin_is_not_even_imported(install, name):
    install("import_error")
    registry = Registry(block=[name])
    provided = provider(registry, "import_error")
    assert (provided.blocked, provided.error) == (True, None)
    with pytest.raises(ConfigError, match="It may belong to a blocked plugin: plugin 'import_error'"):
        registry.get("components", "half")
    with pytest.raises(ConfigError, match="is blocked"):
        registry.provider("import_error")


def test_blocking_ends_a_clash(install):
    install("clash")
    assert Registry(block=["clash"]).get("components", "ease").name == "ease"


def test_an_unknown_plugin_cannot_be_blocked():
    with pytest.raises(ConfigError, match="no plugin to block is called 'linaer': did you mean 'linear'"):
        Registry(block=["linaer"])


def test_a_plugin_is_found_by_name_and_by_distribution(install):
    registry = install("import_error", "good", "slow_import")
    assert registry.provider("slow_import") is registry.provider("slow-import")
    with pytest.raises(PluginError, match="half of me is missing"):
        registry.provider("import_error")
    with pytest.raises(ConfigError, match="several plugins are called 'tags'"):
        registry.provider("tags")
    with pytest.raises(ConfigError, match="no plugin is called 'gooood'"):
        registry.provider("gooood")


def test_the_trace_shows_hooks_and_components_with_times(experiment, monkeypatch, capsys):
    monkeypatch.setenv("HYBRIDREC_TRACE", "1")
    run(experiment())
    lines = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\[trace\] +\d+\.\d\d ms  ", line) for line in lines)
    told = "\n".join(lines)
    for step in (
        "loading plugin 'toyland' (toyland 1.5, module toyland)",
        "hybridrec_components of toyland",
        "while reading the data: toy 1",
        "while splitting the data: masked 1",
        "while fitting components.noise in fold test (full): echo 1",
        "in pipeline 'hybrid', generator 'noise': echo 1",
        "in pipeline 'hybrid', re-ranker 'weighted': weighted 1",
        "while measuring ndcg@5 in fold test: ndcg 1",
        "FitFinished to toy-events 1",
        "RunFinished to toy-events 1",
    ):
        assert step in told
    monkeypatch.setenv("HYBRIDREC_TRACE", "0")
    Registry()
    assert capsys.readouterr().err == ""


def test_the_cause_is_raised_where_an_unknown_name_may_be_a_broken_plugins(install):
    registry = install("import_error")
    with pytest.raises(
        ConfigError, match=r"unknown component 'half'.*import-error 0\.3.*half of me is missing"
    ) as info:
        registry.get("components", "half")
    assert isinstance(info.value.__cause__, RuntimeError)


def test_a_clash_names_both_providers_with_versions_and_stops_nobody_who_does_not_ask(install):
    registry = install("clash")
    (message,) = registry.clashes
    assert "the component 'ease' is provided twice" in message
    assert "plugin 'clash' (clash 9.9, module clash_plugin)" in message
    assert "plugin 'linear' (hybridrec 0." in message
    assert registry.provider_of(registry.get("components", "ease")).distribution == "hybridrec"
    assert registry.choice("components", "ease") == message
    assert registry.choice("components", "content") is None
    assert [cls.name for cls in registry.classes("components")].count("ease") == 1


def test_the_same_module_under_two_names_is_refused_once(install):
    registry = install("good")
    (entry,) = [e for e in _installed() if e.value == "good_plugin"]
    twice = Registry([entry, entry])
    assert [p.error is None for p in twice.providers] == [True, False]
    assert "already registered by another entry point" in str(twice.providers[1].error)
    assert registry.get("components", "nothing")


@pytest.mark.parametrize("kind", ["component", "normaliser", "reader", "splitter", "metric"])
def test_unknown_names_are_answered_with_the_nearest_and_all_there_are(kind):
    registry = Registry()
    names = registry.names(f"{kind}s")
    with pytest.raises(ConfigError, match=rf"unknown {kind} '{names[0]}x': did you mean '{names[0]}'\?.*{names[-1]}"):
        registry.get(f"{kind}s", names[0] + "x")


def _installed():
    import importlib.metadata

    return importlib.metadata.entry_points(group="hybridrec")
