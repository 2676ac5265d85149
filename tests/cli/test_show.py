"""The commands around what is installed: show, plugins, schema; and that they are light."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[1] / "registry" / "plugins"


def test_show_explains_every_option(call):
    status, out, _ = call("show", "popularity")
    assert status == 0
    assert "popularity (component, version 1, from hybridrec" in out
    assert "Stages: generator, scorer" in out
    assert "half_life" in out


def test_show_without_a_name_lists_the_names_by_kind(call):
    status, out, err = call("show")
    assert (status, err) == (0, "")
    rows = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.strip()}
    assert "popularity" in rows["generators"]
    assert "mmr" in rows["re-rankers"]
    for kind in ("normalisers", "readers", "splitters", "metrics"):
        assert kind in rows


def test_a_name_of_two_kinds_is_suggested_once(call):
    _, _, err = call("show", "randon")
    assert err.count(" random,") == 1


def test_show_and_check_plugin_leave_a_blocked_plugin_out(call, monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGINS / "clash"))
    status, out, _ = call("show", "ease", "--block", "clash")
    assert status == 0
    assert "Stages: generator, scorer" in out
    status, _, err = call("check-plugin", "clash", "--block", "clash")
    assert status == 2
    assert "is blocked" in err


def test_plugins_lists_states_offers_and_what_is_wrong(call, monkeypatch, toyland):
    broken = Path(__file__).parents[1] / "registry" / "plugins"
    for case in ("import_error", "clash"):
        monkeypatch.syspath_prepend(str(broken / case))
    status, out, err = call("plugins")
    assert (status, err) == (0, "")
    assert "toyland" in out
    assert "readers: toy" in out
    assert "broken" in out
    assert "import_error_plugin) could not be loaded: RuntimeError: half of me is missing" in out
    assert "the component 'ease' is provided twice, by plugin 'clash' (clash 9.9" in out


def test_schema_is_json(call, toyland):
    status, out, _ = call("schema")
    assert status == 0
    assert "toy" in json.dumps(json.loads(out)["$defs"]["DataUse"])


HEAVY = (
    "gensim",
    "implicit",
    "lightfm",
    "lightgbm",
    "matplotlib",
    "optuna",
    "mlflow",
    "sklearn",
    "polars",
    "rapidfuzz",
)


@pytest.mark.parametrize(
    ("arguments", "never"), [(["--help"], (*HEAVY, "numpy", "scipy", "rich")), (["plugins"], HEAVY)]
)
def test_light_commands_import_nothing_heavy(arguments, never):
    program = f"""
import sys, atexit
atexit.register(lambda: print("MODULES", *sorted({{name.partition(".")[0] for name in sys.modules}})))
sys.argv = ["hybridrec", *{arguments!r}]
from hybridrec.cli import main
main()
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    loaded = out.splitlines()[-1].split()
    assert "MODULES" in loaded
    assert not set(loaded) & set(never)


def test_blocked_and_slow_plugins_are_told(call, toyland, monkeypatch):
    from hybridrec.registry import discovery

    monkeypatch.setattr(discovery, "SLOW", -1.0)
    assert "plugin 'toyland' (toyland" in call("plugins")[1].partition("which every command waits for")[0]
    status, out, _ = call("plugins", "--block", "toyland")
    assert status == 0
    (row,) = [line for line in out.splitlines() if line.startswith("toyland")]
    assert "blocked" in row
    assert "echo" not in out
    assert "plugin 'linear' (hybridrec" not in out, "who uses hybridrec cannot mend it"


def test_a_name_provided_twice_is_told_with_both_providers_and_each_is_reached(call, monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGINS / "clash"))
    told = call("plugins")[1]
    assert "the component 'ease' is provided twice, by plugin 'clash' (clash 9.9" in told
    assert "say clash/ease for the other" in told
    assert "from hybridrec" in call("show", "ease")[1]
    assert "from clash 9.9" in call("show", "clash/ease")[1]
    status, _, err = call("show", "clash/als")
    assert status == 2
    assert "no plugin 'clash' provides the component 'als'; available are hybridrec/als" in err
