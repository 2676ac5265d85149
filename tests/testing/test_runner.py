"""Classes and suites are found by name, and what cannot be checked here is told with the reason."""

from __future__ import annotations

import pytest
from pydantic import model_validator

from hybridrec import ConfigError, Normaliser, Options, PluginError
from hybridrec.registry.discovery import Registry
from hybridrec.testing.runner import classes_of, configs_of, contracts_of
from hybridrec_playlists.submissions import MPDExporter


def test_what_the_run_at_hand_does_not_hold_is_told():
    options = {"team": "a", "email": "b"}
    with pytest.raises(ConfigError, match=r"'mpd' needs another run than that of the suite \(.*500 are required"):
        list(contracts_of(MPDExporter, options))


def test_the_classes_of_a_plugin_are_those_it_offers_and_those_of_its_name(install_fakes):
    install_fakes("good")
    registry = Registry()
    assert [cls.name for cls in classes_of("good", registry)] == ["nothing"]
    assert classes_of("nothing", registry) == classes_of("good", registry)
    with pytest.raises(ConfigError, match="no plugin, class or command is called 'nothign': did you mean 'nothing'"):
        classes_of("nothign", registry)


def test_the_classes_of_a_plugin_that_cannot_be_loaded_are_refused_with_the_cause(install_fakes):
    install_fakes("import_error")
    with pytest.raises(PluginError, match="half of me is missing"):
        classes_of("import_error", Registry())


def test_suites_run_with_the_given_options():
    (suite,) = contracts_of(Least, {"low": 2, "high": 3})
    assert (suite.__name__, suite.configs) == ("LeastNormaliserContract", [{"low": 2, "high": 3}])
    assert suite.subject() is Least


def test_a_class_says_which_options_it_is_checked_with():
    """Those of the command line stand in the place of its own, and what is then the same is checked once."""
    declared = type("Declared", (Least,), {"check_configs": [{"low": 1}, {"low": 2, "high": 5}]})
    (suite,) = contracts_of(declared)
    assert [*suite.parameters()["options"].values()] == [{"low": 1}, {"low": 2, "high": 5}]
    assert configs_of(declared, {"low": 0}) == [{"low": 0}, {"low": 0, "high": 5}]
    assert configs_of(declared, {"low": 0, "high": 4}) == [{"low": 0, "high": 4}]
    with pytest.raises(ConfigError, match="low is above high"):
        list(contracts_of(declared, {"high": 1}))  # one of the two does not go with it


class LeastOptions(Options):
    """Bounds."""

    low: int
    """The lower one."""
    high: int = 3
    """The upper one."""

    @model_validator(mode="after")
    def _in_order(self):
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Least(Normaliser):
    """Nothing below a bound."""

    name = "least"
    Config = LeastOptions

    def scale(self, values):
        return values


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "'least' has no default for low; give --set low=VALUE, or the class `check_configs`"),
        ({"high": "x"}, "'least' has no default for low; .*; high: Input should be a valid integer"),
        ({"low": 9}, "^'least' Value error, low is above high$"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    with pytest.raises(ConfigError, match=message):
        list(contracts_of(Least, options))


def test_a_missing_library_is_named_with_the_remedy():
    needy = type("Needy", (Least,), {"requires": ("no_such_library",), "install_hint": "pip install needy"})
    with pytest.raises(ConfigError, match=r"'least' needs no_such_library, not installed here\. pip install needy"):
        list(contracts_of(needy, {"low": 1}))
