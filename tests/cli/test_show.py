"""The command `show`: purpose and options of everything that is installed."""


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


def test_a_name_of_two_kinds_is_explained_for_both(call):
    status, out, _ = call("show", "attribute")
    assert status == 0
    assert out.startswith("attribute (filter, version ")
    assert "\nattribute (segmenter, version " in out
    assert "\nwhere " in out
    assert "\nbounds " in out


def test_show_and_check_plugin_leave_a_blocked_plugin_out(call, install_fakes):
    install_fakes("clash")
    status, out, _ = call("show", "ease", "--block", "clash")
    assert status == 0
    assert "Stages: generator, scorer" in out
    status, _, err = call("check-plugin", "clash", "--block", "clash")
    assert status == 2
    assert "is blocked" in err


def test_a_name_provided_twice_is_told_with_both_providers_and_each_is_reached(call, install_fakes):
    install_fakes("clash")
    told = call("plugins")[1]
    assert "the component 'ease' is provided twice, by plugin 'clash' (clash 9.9" in told
    assert "say clash/ease for the other" in told
    assert "from hybridrec" in call("show", "ease")[1]
    assert "from clash 9.9" in call("show", "clash/ease")[1]
    status, _, err = call("show", "clash/als")
    assert status == 2
    assert "no plugin 'clash' provides the component 'als'; available are hybridrec/als" in err
