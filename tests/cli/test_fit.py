"""The command `fit`: a share of the fits, what is left in words or JSON, and status 0 in both cases."""

import json

from tests.engine.test_shares import SHARED


def test_it_tells_what_was_done_and_what_is_left(call, experiment):
    path = experiment(*SHARED)
    left = ""
    for number in (1, 2):
        status, out, err = call("fit", path, "--share", f"{number}/3")
        assert status == 0
        assert out.startswith(f"share {number}/3: ")
        assert "fit fold-0: " in err
        left += out
    assert "waits for " in left
    status, out, _ = call("fit", path, "--json", "--quiet")
    report = json.loads(out)
    assert (status, report["left"], report["stored"]) == (0, [], report["fits"])
    status, out, err = call("fit", path, "--quiet")
    assert (status, err) == (0, "")
    counts = f"{report['fits']} of {report['fits']} fits are in the store, 0 of this share are left"
    assert out == f"share 1/1: 0 fits done in under 1 s; {counts}\n"


def test_what_a_plugin_raises_names_it_and_its_fit(call, experiment):
    status, out, err = call("fit", experiment(("use: echo", "use: echo, misbehave: raise")))
    assert (status, out) == (3, "")
    assert "while fitting components.noise in fold test (full): echo 1" in err


def test_a_mistake_in_the_share_is_told(call, experiment):
    status, _, err = call("fit", experiment(), "--share", "3/2")
    assert status == 2
    assert "--share 3/2: a share is written as NUMBER/OF" in err
