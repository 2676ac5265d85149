"""Broken plugins are told apart, do no harm to the others, and are raised when they are asked for."""

from pathlib import Path

import pytest

from hybridrec import ConfigError, PluginError, hookimpl, run
from hybridrec.registry.discovery import Registry

PLUGINS = Path(__file__).parent / "plugins"
BROKEN = {
    "import_error": "RuntimeError: half of me is missing",
    "missing_dependency": "ModuleNotFoundError: No module named 'no_such_library'",
    "leaves": "SystemExit: no licence",
    "misspelt_hook": "unknown hook 'hybridrec_component'",
    "wrong_signature": "Argument(s) {'config'} are declared in the hookimpl but can not be found in the hookspec",
    "unmarked_hook": "unmarked_hook_plugin implements no hook: is `@hookimpl` missing",
    "not_a_class": "hybridrec_components must return classes derived from hybridrec.Plugin, got 'nothing'",
    "not_a_list": "hybridrec_components must return a list of classes, got <class",
    "wrong_kind": "hybridrec_readers returned Nothing, which belongs into hybridrec_components",
    "abstract": "Nothing does not implement candidates",
    "nameless": "Nothing has no `name`",
}


@pytest.fixture
def install(monkeypatch):
    """Makes fake distributions visible, as if pip had installed them."""

    def put(*cases):
        for case in cases:
            monkeypatch.syspath_prepend(str(PLUGINS / case))
        return Registry()

    return put


def provider(registry, distribution):
    (found,) = [p for p in registry.providers if p.distribution == distribution.replace("_", "-")]
    return found


def test_every_fake_distribution_is_tested():
    assert {folder.name for folder in PLUGINS.iterdir()} == {*BROKEN, "good", "clash"}


def test_a_good_plugin_is_found_with_version_and_origin_even_where_its_entry_point_has_a_taken_name(install):
    registry = install("good")
    found = provider(registry, "good")
    assert (found.name, found.version, found.error) == ("tags", "1.2", None)
    assert found.offers == {"components": ["nothing"]}
    assert registry.component("nothing").name == "nothing"
    assert registry.component("tag-fallback").name == "tag-fallback"
    assert registry.provider_of(registry.component("nothing")) is found
    assert str(found) == "plugin 'tags' (good 1.2, module good_plugin)"


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_remembered_with_its_cause(install, case):
    registry = install(case)
    found = provider(registry, case)
    assert found in registry.broken
    assert found.offers == {}
    assert BROKEN[case] in f"{type(found.error).__name__}: {found.error}"
    assert registry.component("ease").name == "ease"
    assert not [plugin for plugin in registry.manager.get_plugins() if plugin.__name__ == f"{case}_plugin"]


def test_all_at_once_do_no_harm_to_an_experiment_that_needs_none_of_them(install, experiment):
    broken = install(*BROKEN, "good", "clash").broken
    assert {p.distribution.replace("-", "_") for p in broken} >= {*BROKEN}
    report = run(experiment(("  ease: {l2: 5}\n", "  als: {factors: 4}\n"), ("ease", "als"))).report
    assert report.pipelines.keys() == {"control", "hybrid"}
    assert report.environment.packages["good"] == "1.2"


def test_the_cause_is_raised_where_an_unknown_name_may_be_a_broken_plugins(install):
    registry = install("import_error")
    with pytest.raises(
        ConfigError, match=r"unknown component 'half'.*import-error 0\.3.*half of me is missing"
    ) as info:
        registry.component("half")
    assert isinstance(info.value.__cause__, RuntimeError)


def test_a_clash_names_both_providers_with_versions_and_stops_nobody_who_does_not_ask(install):
    registry = install("clash")
    (message,) = registry.clashes
    assert "the component 'ease' is provided twice" in message
    assert "plugin 'clash' (clash 9.9, module clash_plugin)" in message
    assert "plugin 'linear' (hybridrec 0." in message
    with pytest.raises(PluginError, match="provided twice") as info:
        registry.component("ease")
    assert str(info.value) == message
    assert registry.component("content").name == "content"
    assert "ease" not in [cls.name for cls in registry.classes("components")]


def test_the_same_module_under_two_names_is_refused_once(install):
    registry = install("good")
    (entry,) = [e for e in _installed() if e.value == "good_plugin"]
    twice = Registry([entry, entry])
    assert [p.error is None for p in twice.providers] == [True, False]
    assert "registered by another entry point already" in str(twice.providers[1].error)
    assert registry.component("nothing")


@pytest.mark.parametrize("kind", ["component", "normaliser", "reader", "splitter", "metric"])
def test_unknown_names_are_answered_with_the_nearest_and_all_there_are(kind):
    registry = Registry()
    known = registry.names(f"{kind}s")
    with pytest.raises(ConfigError, match=rf"unknown {kind} '{known[0]}x': did you mean '{known[0]}'\?.*{known[-1]}"):
        getattr(registry, kind)(known[0] + "x")


def test_observers_are_called_by_the_names_of_their_arguments():
    class Observer:
        seen = []

        @hookimpl
        def hybridrec_fitted(self, label, cached):
            self.seen.append((label, cached))

    registry = Registry([])
    registry.manager.register(Observer())
    registry.manager.hook.hybridrec_fitted(label="als", component="als", fold="1", seconds=0.1, cached=True)
    assert Observer.seen == [("als", True)]


def _installed():
    import importlib.metadata

    return importlib.metadata.entry_points(group="hybridrec")
