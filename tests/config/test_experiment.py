"""A checked experiment: its resolved config, its hash, and the dimensions of a search."""

import yaml

import hybridrec
from tests.engine.toy_runs import plain


def test_the_config_of_a_run_is_the_same_experiment(experiment, tmp_path):
    run = hybridrec.run(experiment())
    again = hybridrec.run(run.folder / "config.yaml")
    assert again.report.config_hash == run.report.config_hash
    assert plain(again.report) == plain(run.report)
    assert again.folder != run.folder
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["components"]["popularity"] == {
        "use": "popularity", "count": "users", "by": "all", "smoothing": 5.0,
    }  # fmt: skip
