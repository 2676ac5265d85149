"""The command `plan`: every fit with its share, as a table or as JSON."""

import json
import re
from pathlib import Path


def test_the_table_has_a_line_for_every_fit(call, experiment):
    status, out, err = call("plan", experiment(), "--shares", 2)
    assert (status, err) == (0, "")
    assert out.startswith("5 fits\n")
    assert re.search(r"^ease +ease +test +full +1 +[12]/2 .* [0-9a-f]{32}$", out, re.M)
    assert not Path("runs").exists()


def test_json_has_what_waits_for_what(call, experiment):
    path = experiment(("  ease: {l2: 5}\n", "  ease: {choose: {l2: [5, 500]}}\n"))
    status, out, _ = call("plan", path, "--shares", 2, "--json")
    assert status == 0
    fits = {fit["place"]: fit for fit in json.loads(out)["fits"]}
    assert fits["test/full/ease"]["waits_for"] == [fits[f"test/choice/ease, value {n}"]["key"] for n in (1, 2)]
    assert {fit["share"] for fit in fits.values()} == {1, 2}
    call("fit", path)
    assert all(fit["stored"] for fit in json.loads(call("plan", path, "--json")[1])["fits"])
    assert "in the store" in call("plan", path)[1]


def test_an_earlier_plan_that_lacks_a_fit_is_no_obstacle(call, experiment):
    path = experiment(("  ease: {l2: 5}\n", "  ease: {choose: {l2: [5, 500]}}\n"))
    for _ in range(3):
        assert call("fit", path, "--share", "1/2")[0] == 0
        assert call("plan", path, "--shares", 2)[0] == 0
