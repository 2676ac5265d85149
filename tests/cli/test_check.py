"""The command `check`: the plan of a config, and its mistakes, before anything is fitted."""

import re
from pathlib import Path


def test_check_prints_the_plan_and_fits_nothing(call, experiment):
    status, out, err = call("check", experiment(("use: echo", "use: echo, bytes: 5000000")))
    assert (status, err) == (0, "")
    assert "toy.yaml is valid. Data: 60 users, 40 items, 12 tags" in out
    assert "noise" in out
    assert "5 MB" in out
    assert not Path(".hybridrec").exists()
    assert not Path("runs").exists()


def test_a_clash_is_told_only_where_it_is_asked_for_and_ends_in_favour_of_hybridrec(call, experiment, install_fakes):
    install_fakes("clash")
    status, _, err = call("check", experiment())
    assert status == 0
    (note,) = err.splitlines()
    assert note.startswith("note: the component 'ease' is provided twice")
    assert "that of plugin 'linear' (hybridrec" in note
    assert "say clash/ease for the other" in note
    replaced = ("  ease: {l2: 5}\n", "  als: {factors: 4}\n"), ("from: ease", "from: als"), ("{ease: 1", "{als: 1")
    assert call("check", experiment(*replaced))[2] == ""


def test_check_says_from_how_many_queries_is_learned(call, experiment):
    learned = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: validated}]")
    status, out, _ = call("check", experiment(learned))
    assert status == 0
    assert re.search(r"^Re-rankers learn from [1-9]\d* validation queries", out, re.M)
    assert "Re-rankers learn" not in call("check", experiment())[1]


def test_check_tells_times_and_doubts(call, experiment):
    status, out, err = call("check", experiment(("ease: {l2: 5}", "ease: {l2: 5, min_users: 500}")))
    assert (status, err) == (0, "")
    assert re.search(r"^ease +ease +full +1 +0 +.*under 1 s", out, re.M)
    assert re.search(r"^\d+ fits are not in the store, \d+ of them without an estimate: under 1 s", out, re.M)
    assert re.search(r"^warning: components.ease.min_users: 500, and no item", out, re.M)


def test_a_config_that_comes_with_a_plugin(call, monkeypatch, tmp_path):
    package = tmp_path / "shipping"
    info = tmp_path / "shipping-1.dist-info"
    for folder in (package, info):
        folder.mkdir()
    (package / "__init__.py").write_text(
        "from hybridrec import hookimpl\n\n\n@hookimpl\ndef hybridrec_starters(data): return []\n"
    )
    (package / "tiny.yaml").write_text(
        "name: tiny\ndata: {reader: setlists, min_items: 25}\nsplit: {use: random}\n"
        "components: {popularity: {}}\npipelines: {control: {generators: [{from: popularity, k: 20}]}}\n"
    )
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shipping\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[hybridrec]\nshipping = shipping\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    status, out, err = call("check", "plugin:shipping/tiny.yaml")
    assert (status, err) == (0, "")
    assert "popularity" in out
    for wrong, message in (
        ("plugin:shipping/tinny.yaml", "did you mean 'tiny.yaml'"),
        ("plugin:shipping/../conftest.py", "ships no file"),
        ("plugin:shiping/tiny.yaml", "did you mean 'shipping'"),
        ("plugin:shipping", "available are tiny.yaml"),
    ):
        status, _, err = call("check", wrong)
        assert status == 2
        assert message in err


def test_data_that_lie_elsewhere_are_named_by_an_assignment(call, tmp_path):
    status, _, err = call("check", "plugin:core/configs/published/song2vec.yaml")
    assert (status, "no such file" in err) == (2, True)
    assert err.splitlines()[-2].endswith("where the data lies elsewhere: --set data.folder=PATH")
    assert err.splitlines()[-1].endswith("the comments at its top say where to get the data")
    status, _, err = call("check", "plugin:core/configs/published/song2vec.yaml", "--set", f"data.folder={tmp_path}")
    assert (status, "no such file" in err, "data.folder" in err) == (2, True, False), "the folder is there"
    (tmp_path / "songs.csv").write_text("song_id,title\n")
    there = ("--set", f"data.items.path={tmp_path / 'songs.csv'}")
    status, _, err = call("check", "plugin:core/configs/published/three-stage.yaml", *there)
    assert (status, err.splitlines()[-2]) == (2, "  where the data lies elsewhere: --set data.interactions.path=PATH")
