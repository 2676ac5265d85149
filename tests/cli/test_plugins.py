"""The command `plugins`: states, offers, and what is wrong or slow."""


def test_plugins_lists_states_offers_and_what_is_wrong(call, install_fakes, toyland):
    install_fakes("import_error", "clash")
    status, out, err = call("plugins")
    assert (status, err) == (0, "")
    assert "toyland" in out
    assert "readers: toy" in out
    assert "broken" in out
    assert "import_error_plugin) could not be loaded: RuntimeError: half of me is missing" in out
    assert "the component 'ease' is provided twice, by plugin 'clash' (clash 9.9" in out


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
