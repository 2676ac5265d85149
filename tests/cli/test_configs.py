"""The command `configs`: what plugins ship is listed, printed and run by its name."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_configs_are_listed_printed_and_run_by_their_names(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = call("configs")
    assert (status, err) == (0, "")
    assert "plugin:core/configs/published/song2vec.yaml" in out
    name = "plugin:core/configs/venues.yaml"
    assert call("configs", name) == (0, (ROOT / "configs" / "venues.yaml").read_text(encoding="utf-8"), "")
    status, out, _ = call("check", name, "--set", "data.min_items=25")
    assert status == 0
    assert f"{name} is valid" in out


def test_a_config_that_is_not_there_is_refused_with_the_nearest(call):
    status, _, err = call("configs", "plugin:core/configs/quickstrat.yaml")
    assert status == 2
    assert "did you mean 'plugin:core/configs/quickstart.yaml'?" in err
