"""The command `init`: a config for the user's own files, which runs."""

import json

import jsonschema
import yaml


def test_init_writes_a_config_that_runs(call, experiment, tmp_path):
    experiment()
    rows = [f"u{user},i{item}" for user in range(40) for item in range(user % 2, 24, 2) if (user * item) % 5]
    (tmp_path / "plays.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    status, out, err = call("init", "plays.csv", "-o", "mine.yaml")
    assert (status, err) == (0, "")
    assert "wrote mine.yaml; try: hybridrec run mine.yaml" in out
    written = (tmp_path / "mine.yaml").read_text()
    schema = written.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    jsonschema.validate(yaml.safe_load(written), json.loads((tmp_path / schema).read_text()))
    status, _, err = call("init", "plays.csv", "-o", "mine.yaml")
    assert status == 2
    assert "mine.yaml exists" in err
    status, out, err = call("run", "mine.yaml")
    assert (status, [line for line in err.splitlines() if not line.startswith("fit ")]) == (0, [])
