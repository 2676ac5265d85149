"""Reference pages: every plugin class has one, and options are said in words a user writes."""

import pytest

from hybridrec import ConfigError
from hybridrec.registry.describe import describe
from hybridrec.registry.discovery import Registry

REGISTRY = Registry()


@pytest.mark.parametrize("name", REGISTRY.names())
def test_every_plugin_class_has_a_page_with_documented_options(name):
    for page in describe(name, REGISTRY):
        assert page.text, f"{name} has no docstring"
        assert page.origin.startswith("hybridrec ")
        for key, kind, default, meaning in page.options:
            assert kind, f"{name}.{key} has no type"
            assert default, f"{name}.{key} has no default"
            assert meaning, f"{name}.{key} has no meaning"


def test_a_page_shows_the_options_of_mappings():
    (page,) = describe("table", REGISTRY)
    options = {key: default for key, _, default, _ in page.options}
    assert options["interactions.user"] == "required"
    assert options["interactions.join.match"] == "required"
    assert options["weight"] == "as below"
    assert options["weight.transform"] == '"none"'


def test_a_page_says_what_a_component_can_do_and_takes():
    (page,) = describe("popularity", REGISTRY)
    assert "Stages: generator, scorer" in page.facts
    assert "Serves: every query" in page.facts
    options = {key: (kind, default) for key, kind, default, _ in page.options}
    assert options["count"] == ("users | weights", '"users"')
    assert options["half_life"] == ("number > 0 | null", "null")


def test_a_name_that_a_broken_plugin_may_have_is_answered_with_the_cause(install_fakes):
    install_fakes("import_error")
    with pytest.raises(
        ConfigError, match=r"nothing is called 'half'.*import-error 0\.3.*half of me is missing"
    ) as info:
        describe("half", Registry())
    assert isinstance(info.value.__cause__, RuntimeError)


def test_a_name_that_nothing_has_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="nothing is called 'popularty': did you mean 'popularity'"):
        describe("popularty", REGISTRY)
