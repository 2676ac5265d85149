"""The folder of a search: only the same search goes on in it, and its result is told in the report."""

import json

import jsonschema
import pytest

import hybridrec
from hybridrec import ConfigError, Run, StoreError
from hybridrec.config.load import load_experiment
from hybridrec.evaluation.report import Report
from hybridrec.registry.discovery import Registry
from hybridrec.tuning.study_dir import BEST, TUNING, begin, resume, tuned_report
from tests.tuning.searches import POP, WEIGHTS


def test_only_the_same_search_is_resumed(tunable):
    tuned = hybridrec.tune(tunable(), trials=2)
    with pytest.raises(ConfigError, match="was begun with another config"):
        hybridrec.tune(tunable(), ["seed=4"], resume_from=tuned.folder)
    with pytest.raises(ConfigError, match="is not a folder of a search"):
        hybridrec.tune(tunable(), resume_from="runs")


def test_the_report_of_the_tuned_run_says_how_it_was_tuned(tunable):
    tuned = hybridrec.tune(tunable())
    run = hybridrec.run(tuned.config)
    tuning = run.report.tuning
    assert tuning is not None
    assert (tuning.best, tuning.values) == (tuned.best[0].number, tuned.best[0].values)
    assert tuning.trials == [trial.metrics["ndcg@5"] for trial in tuned.trials]
    content = json.loads((run.folder / "report.json").read_text())
    jsonschema.validate(content, Report.model_json_schema())
    assert Run.open(run.folder).report.tuning == tuning
    assert hybridrec.run(tuned.config, [f"{POP}=0.77"]).report.tuning is None  # that is not what was chosen


def test_budgets_may_differ_where_a_search_goes_on(tunable, tmp_path):
    def checked(text):
        return load_experiment(tunable(WEIGHTS.replace("trials: 8", text)), Registry())

    folder = begin(tmp_path / "runs", checked("trials: 8"))
    assert folder.name.startswith("toy-tune-")
    assert resume(folder, checked("trials: 80, seconds: 5")) == folder
    with pytest.raises(ConfigError, match="only `trials` and `seconds` may differ"):
        resume(folder, checked("trials: 8, metric: recall@5"))
    (folder / "config.yaml").write_text("a: [")
    with pytest.raises(StoreError, match=r"config\.yaml cannot be read"):
        resume(folder, checked("trials: 8"))


def test_only_the_config_that_a_search_wrote_has_its_summary(tmp_path):
    best = tmp_path / BEST
    assert tuned_report(best, "hash") is None
    for content in ("", "[]", "{}", '{"config_hash": "hash", "tuning": {}}'):
        (tmp_path / TUNING).write_text(content)
        with pytest.raises(StoreError, match=r"tuning\.json cannot be read"):
            tuned_report(best, "hash")
        assert tuned_report(tmp_path / "toy.yaml", "hash") is None
