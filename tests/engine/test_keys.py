"""Keys of fits and of results: what decides a result decides its key, and nothing else does."""

import sys

import pytest

import hybridrec
from hybridrec import ConfigError
from hybridrec.api import plan
from hybridrec.engine.keys import source_hash
from tests.engine.toy_runs import changed, keys


@pytest.mark.parametrize(
    ("replacement", "labels"),
    [
        (("l2: 5", "l2: 6"), {"ease"}),
        (("seed: 3", "seed: 4"), {"ease", "pop", "noise", "tag-fallback", "popularity"}),
        (("{reader: toy}", "{reader: toy, users: 50}"), {"ease", "pop", "noise", "tag-fallback", "popularity"}),
        (("test: 0.3", "test: 0.4"), {"ease", "pop", "noise", "tag-fallback", "popularity"}),
        (("from: ease, k: 20", "from: ease, k: 30"), set()),
        (("workers: 2", "workers: 1"), set()),
        (("name: toy", "name: other"), set()),
    ],
)
def test_a_fit_is_done_again_only_for_what_decides_it(experiment, replacement, labels):
    first = hybridrec.run(experiment()).report
    second = hybridrec.run(experiment(replacement)).report
    assert changed(first, second) == labels
    assert {fit.label for fit in second.fits if not fit.cached} == labels


def test_the_seed_decides_where_the_data_is_the_same(experiment):
    split = ("{use: masked, test: 0.3}", "{use: leave-one-out}")
    first = hybridrec.run(experiment(split)).report
    second = hybridrec.run(experiment(split, ("seed: 3", "seed: 4"))).report
    assert changed(first, second) == {fit.label for fit in first.fits}


def test_version_and_source_of_a_plugin_decide_too(experiment, monkeypatch):
    first = hybridrec.run(experiment()).report
    echo = sys.modules["toyland"].Echo
    with monkeypatch.context() as patch:
        patch.setattr(echo, "version", "2")
        assert changed(first, hybridrec.run(experiment()).report) == {"noise"}
    monkeypatch.setattr("hybridrec.engine.keys.source_hash", lambda cls: "other" if cls is echo else source_hash(cls))
    assert changed(first, hybridrec.run(experiment()).report) == {"noise"}


ON_DEVICE = """
from hybridrec import find


class OnDevice(find("component", "popularity")):
    \"\"\"Popularity that says where it computed.\"\"\"

    name = "on-device"
    uses_device = True

    def notes(self):
        return [f"computed on {self.device}"]
"""


def test_the_kind_of_device_decides_for_components_that_use_one(experiment, tmp_path):
    plugin = tmp_path / "on_device.py"
    plugin.write_text(ON_DEVICE)
    device = ("{use: echo}", "{use: on-device}")

    def run(*assignments):
        return hybridrec.run(experiment(device), assignments, plugins=[plugin]).report

    at_first = run()
    assert changed(at_first, run("device=cpu")) == set()
    cuda = run("device=cuda:1")
    assert changed(at_first, cuda) == {"noise"}
    assert {fit.label for fit in cuda.fits if not fit.cached} == {"noise"}
    assert "noise, test: computed on cpu" in at_first.notes
    assert "noise, test: computed on cuda:1" in cuda.notes
    assert changed(cuda, run("device=cuda:0")) == set()
    with pytest.raises(ConfigError, match="device"):
        run("device=GPU 1")


def test_a_normaliser_of_a_plugin_scales_and_its_version_decides_the_blend(experiment, monkeypatch):
    config = experiment(("weights: {ease: 1", "normalise: {use: signs, level: 0.1}, weights: {ease: 1"))
    first = hybridrec.run(config).report
    signs = sys.modules["toyland"].Signs
    monkeypatch.setattr(signs, "scale", lambda self, values: -values)
    same = hybridrec.run(config).report
    assert same.pipelines == first.pipelines
    monkeypatch.setattr(signs, "version", "2")
    other = hybridrec.run(config).report
    assert all(fit.cached for fit in other.fits)
    assert other.pipelines["hybrid"] != first.pipelines["hybrid"]


def test_the_version_of_a_library_decides_too(experiment, monkeypatch):
    first = hybridrec.run(experiment()).report
    monkeypatch.setattr("hybridrec.engine.keys.library_versions", lambda modules=(): {"numpy": "99"})
    assert changed(first, hybridrec.run(experiment()).report) == {fit.label for fit in first.fits}


def test_the_version_of_the_library_of_a_tokenizer_decides_too(experiment, monkeypatch):
    pytest.importorskip("sentencepiece")
    asked = set()
    monkeypatch.setattr("hybridrec.engine.keys.library_versions", lambda modules: asked.add(modules))
    cut = "{fields: [items, title], tokenizer: {use: sentencepiece}}"
    plan(experiment(("{l2: 5}", cut)))
    assert ("sentencepiece",) in asked


def test_the_order_of_the_config_decides_nothing(experiment):
    first = hybridrec.run(experiment()).report
    components = "  ease: {l2: 5}\n  pop: {use: popularity}\n  noise: {use: echo}\n"
    turned = "".join(f"{line}\n" for line in reversed(components.splitlines()))
    second = hybridrec.run(experiment((components, turned)), store="another").report
    assert keys(second) == keys(first)
    assert not any(fit.cached for fit in second.fits)
    assert second.pipelines == first.pipelines
