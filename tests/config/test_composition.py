"""An experiment composed in Python is the experiment of a file, with the same checks, hash and run."""

import datetime
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, Experiment, PipelineConfig, take, use
from hybridrec.config.composition import plain_config
from hybridrec.config.load import load_experiment
from hybridrec.config.models import ExperimentConfig, PipelineUse
from hybridrec.registry.discovery import Registry


def composed(**changes):
    """The small experiment of the tests, in Python."""
    import toyland

    fallbacks = ["tag-fallback", "popularity"]
    content = {
        "name": "toy",
        "seed": 3,
        "data": toyland.ToyReader,
        "split": use("masked", test=0.3),
        "components": {"ease": use("ease", l2=5), "pop": use("popularity"), "noise": use(toyland.Echo)},
        "targets": {"items": 10, "tags": 5},
        "pipelines": {
            "control": PipelineConfig(generators=[take("pop", k=20)], fallback=fallbacks),
            "hybrid": PipelineConfig(
                generators=[take("ease", k=20), take("noise", k=10)],
                scorers=["pop"],
                rerank=[use("weighted", weights={"ease": 1, "pop": 0.2})],
                fallback=fallbacks,
            ),
        },
        "compare": {"control": "control", "metrics": ["ndcg@5", "tags/ndcg@5"], "resamples": 100},
        "workers": 2,
        "observe": {"toy-events": {}},
    }
    return Experiment(**content | changes)


def test_it_gives_the_run_of_the_file(experiment):
    from_file, from_python = hybridrec.run(experiment()), hybridrec.run(composed())
    assert from_python.config == from_file.config
    assert from_python.report.config_hash == from_file.report.config_hash
    assert all(fit.cached for fit in from_python.report.fits)
    assert from_python.slates("hybrid").equals(from_file.slates("hybrid"))


def test_it_has_the_keys_of_the_file():
    assert {field.name for field in fields(Experiment)} == set(ExperimentConfig.model_fields)
    assert {field.name for field in fields(PipelineConfig)} == set(PipelineUse.model_fields)


def test_a_plugin_may_be_a_name_a_class_an_instance_or_a_mapping(experiment):
    import toyland

    registry = Registry()
    wanted = load_experiment(experiment(("{use: echo}", "{use: echo, level: 2.0}")), registry).hash
    options = toyland.EchoOptions(level=2.0)
    for noise in (
        use("echo", level=2.0),
        use(toyland.Echo, level=2.0),
        toyland.Echo(options),
        {"use": "echo", "level": 2.0},
    ):
        components = {"ease": {"l2": 5}, "pop": use("popularity"), "noise": noise}
        assert load_experiment(composed(components=components), registry).hash == wanted
    for data in (use("toy"), {"reader": "toy"}, toyland.ToyReader(), use(toyland.ToyReader)):
        components = {"ease": {"l2": 5}, "pop": use("popularity"), "noise": use("echo", level=2.0)}
        assert load_experiment(composed(data=data, components=components), registry).hash == wanted


def test_a_component_may_be_labelled_use(experiment):
    import toyland

    content = plain_config({"components": {"use": toyland.Echo}}, Registry())
    assert content == {"components": {"use": {"use": "echo"}}}


def test_an_unknown_option_is_told_by_its_key_path(toyland):
    with pytest.raises(ConfigError, match=r"^config: components\.ease\.l3: unknown key: did you mean 'l2'\?"):
        load_experiment(composed(components={"ease": use("ease", l3=5), "pop": use("popularity")}), Registry())
    pipelines = {"control": PipelineConfig(generators=[take("ease", when="warm")])}
    with pytest.raises(ConfigError, match=r"^config: pipelines\.control\.generators\[0\]\.when.*'warm' is not a gate"):
        load_experiment(composed(pipelines=pipelines), Registry())


def test_a_class_that_its_name_does_not_lead_to_is_refused(toyland):
    import toyland

    class Other(toyland.Echo):
        """Another class of the same name."""

    class Unknown(toyland.Echo):
        """A class that no plugin offers."""

        name = "ecco"

    with pytest.raises(ConfigError, match=r"^config: components\.noise: the name of .*Other leads to .*Echo"):
        load_experiment(composed(components={"noise": Other}), Registry())
    with pytest.raises(
        ConfigError, match=r"^config: components\.noise\.use: unknown component 'ecco': did you mean 'echo'"
    ):
        load_experiment(composed(components={"noise": use(Unknown)}), Registry())


def test_values_of_python_become_those_of_yaml():
    content = {"a": (1, np.float32(0.5)), 2: Path("x/y"), "day": datetime.date(2024, 1, 2), "none": None}
    assert plain_config(content, Registry(())) == {
        "a": [1, 0.5], "2": "x/y", "day": datetime.date(2024, 1, 2), "none": None,
    }  # fmt: skip


def test_other_values_are_refused_with_their_place():
    with pytest.raises(ConfigError, match=r"^config: a\.b\[1\]: a config has no place for a value of type set"):
        plain_config({"a": {"b": [1, {2}]}}, Registry(()))
    endless: dict = {}
    endless["a"] = endless
    with pytest.raises(ConfigError, match=r"^config: nested too deeply"):
        plain_config(endless, Registry(()))
