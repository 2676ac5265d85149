"""A config is the same config as a file, as a mapping and with values overridden; mistakes are told by key path."""

import copy
import json
from pathlib import Path

import pytest
import yaml

import hybridrec
from hybridrec import ConfigError
from hybridrec.api import plan
from hybridrec.config.load import executor_assignments, load_experiment, open_config
from hybridrec.registry.discovery import Registry


def test_a_mapping_gives_the_run_of_the_file_and_stays_as_it_is(experiment):
    path = experiment()
    content = yaml.safe_load(path.read_text())
    before = copy.deepcopy(content)
    from_file, from_mapping = hybridrec.run(path, ["seed=4"]), hybridrec.run(content, ["seed=4"])
    assert content == before
    assert from_mapping.report.config_hash == from_file.report.config_hash
    assert from_mapping.config == from_file.config
    assert all(fit.cached for fit in from_mapping.report.fits)
    assert from_mapping.slates("hybrid").equals(from_file.slates("hybrid"))


def test_a_mapping_can_be_planned(experiment):
    path = experiment()
    assert plan(yaml.safe_load(path.read_text())) == plan(path)


def test_a_mistake_in_a_mapping_is_told_by_its_key_path_without_a_line(experiment):
    content = yaml.safe_load(experiment().read_text())
    content["components"]["ease"] = {"L2": 5}
    with pytest.raises(ConfigError) as info:
        hybridrec.run(content)
    assert str(info.value).startswith("config: components.ease.L2: unknown key: did you mean 'l2'?")


@pytest.mark.parametrize("config", [3, None, ["name"]])
def test_what_is_no_config_is_refused(config):
    with pytest.raises(ConfigError, match="config: takes the path of a YAML file, a mapping or"):
        load_experiment(config, Registry())


def test_relative_paths_of_a_mapping_start_at_the_working_directory(experiment, tmp_path):
    content = yaml.safe_load(experiment(("{reader: toy}", "{reader: toy, path: files/a.csv}")).read_text())
    checked = load_experiment(content, Registry())
    assert checked.reader.config.path == Path.cwd() / "files" / "a.csv"


def test_the_text_of_a_config_is_without_the_assignments(experiment):
    path = experiment()
    registry = Registry()
    opened = open_config(path, registry, ("seed=9",))
    assert opened.text == path.read_text()
    made = open_config(yaml.safe_load(opened.text), registry, ("seed=9",))
    assert yaml.safe_load(made.text) == yaml.safe_load(opened.text)
    assert made.document.content["seed"] == opened.document.content["seed"] == 9


def test_a_mapping_can_be_tuned(experiment):
    pytest.importorskip("optuna")
    section = "tune: {pipeline: hybrid, trials: 2, search: random, space: {components.ease.l2: [5, 9]}}"
    content = yaml.safe_load(experiment(("workers: 2", f"workers: 2\n{section}")).read_text())
    tuned = hybridrec.tune(content)
    assert len(tuned.trials) == 2
    run = hybridrec.run(tuned.config)
    assert json.loads((tuned.folder / "tuning.json").read_text())["config_hash"] == run.report.config_hash
    del content["tune"]
    with pytest.raises(ConfigError, match=r"^config has no section `tune`"):
        hybridrec.tune(content)


def test_a_name_that_is_assigned_takes_the_place_of_the_executor_of_the_config(experiment, monkeypatch):
    options = "executor: {use: toy-threads, threads: 3}"

    def loaded(config, *assignments):
        return load_experiment(experiment(("workers: 2", config)), Registry(), assignments).executor

    assert loaded(options, "executor=threads").name == "threads"
    assert loaded("executor: threads", "executor=toy-threads").config.threads is None
    assert loaded(options, "executor=toy-threads").config.threads == 3, "the config has options for it"
    assert loaded(options, "executor={use: toy-threads}").config.threads is None
    assert loaded("executor: toy-threads", "executor.threads=4").config.threads == 4
    assert loaded("workers: 2", "executor=toy-threads", "executor.threads=4").config.threads == 4
    with pytest.raises(ConfigError, match=r"toy.yaml:1: executor.use: unknown executor 'thread': did you mean"):
        loaded("workers: 2", "executor=thread")


def test_the_environment_names_an_executor_before_all_other_assignments(monkeypatch):
    registry = Registry()
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "processes")
    assert executor_assignments(["a=1"], registry) == ('executor="processes"', "a=1")
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "")
    assert executor_assignments(["a=1"], registry) == ("a=1",)
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "thread")
    assert executor_assignments(["executor=threads"], registry) == ("executor=threads",)
    with pytest.raises(ConfigError, match=r"^\$HYBRIDREC_EXECUTOR: unknown executor 'thread': did you mean 'threads'"):
        executor_assignments([], registry)
    monkeypatch.delenv("HYBRIDREC_EXECUTOR")
    assert executor_assignments([], registry) == ()
