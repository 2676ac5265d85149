"""Plugins are blocked where it is said, one bad class harms no other, and of two providers one is chosen."""

import sys

import pytest
import yaml

import hybridrec
from hybridrec import API_VERSION, ConfigError, PluginError, Registry

CLASS = '''
class {cls}(hybridrec.find("component", "popularity")):
    """Popularity, by somebody."""

    name = "{name}"
'''
HOOK = """

@hybridrec.hookimpl
def hybridrec_components():
    return [{classes}]
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Writes distributions with one module each, as if pip had installed them."""

    def write(distribution, text, version="1.0"):
        module, home = distribution.replace("-", "_") + "_module", tmp_path / distribution
        about = home / f"{module}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (about / "entry_points.txt").write_text(f"[hybridrec]\n{distribution} = {module}\n")
        (home / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(home))
        monkeypatch.delitem(sys.modules, module, raising=False)  # of another test

    return write


def offering(*names):
    classes = [f"Class{number}" for number in range(len(names))]
    texts = [CLASS.format(cls=cls, name=name) for cls, name in zip(classes, names, strict=True)]
    return "import hybridrec\n" + "".join(texts) + HOOK.format(classes=", ".join(classes))


def distribution_of(registry, name, kind="components"):
    return registry.provider_of(registry.get(kind, name)).distribution


def test_a_careless_installation_breaks_nobodys_config_and_changes_no_report(install, experiment, call, capsys):
    served = ("workers: 2", "workers: 2\nrefit: all")
    before = hybridrec.run(experiment(served))
    install("careless-shop", offering("popularity"))
    install("another-shop", offering("popularity", "rare"))
    capsys.readouterr()
    after = hybridrec.run(experiment(served))
    assert after.report.pipelines == before.report.pipelines
    assert after.report.notes == before.report.notes
    assert after.report.environment == before.report.environment
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("note: the component 'popularity' is provided 3 times")
    assert "that of plugin 'baselines' (hybridrec" in note
    assert "say another-shop/popularity or careless-shop/popularity for the other" in note
    assert call("recommend", before.folder, "--item", "item 01")[0] == 0
    assert hybridrec.refresh(before, ["data.users=50"])


def test_a_qualified_name_chooses_and_stands_in_the_config_the_lock_and_the_bundle(install, experiment):
    install("careless-shop", offering("popularity"))
    used = ("pop: {use: popularity}", "pop: {use: careless-shop/popularity}")
    run = hybridrec.run(experiment(used, ("workers: 2", "workers: 2\nrefit: all")))
    assert yaml.safe_load(run.config)["components"]["pop"]["use"] == "careless-shop/popularity"
    plugins = {plugin.distribution: plugin for plugin in run.report.environment.plugins}
    assert plugins["careless-shop"].offers == {"components": ["popularity"]}
    served = hybridrec.load(run)
    assert type(served.components["pop"]).__module__ == "careless_shop_module"
    assert type(served.components["popularity"]).__module__ != "careless_shop_module"
    again = hybridrec.run(run.folder / "config.yaml")
    assert all(fit.cached for fit in again.report.fits)
    hybridrec.refresh(run, ["data.users=50"])
    assert type(hybridrec.load(run).components["pop"]).__module__ == "careless_shop_module"


def test_a_normaliser_may_be_qualified(install, experiment):
    text = offering().replace("hybridrec_components", "hybridrec_normalisers").replace("[]", "[Mine]")
    install("careless-shop", text.replace("import hybridrec\n", (
        "import hybridrec\nclass Mine(hybridrec.find('normaliser', 'zscore')):\n    name = 'zscore'\n"
    )))  # fmt: skip
    weighted = ("{use: weighted,", "{use: weighted, normalise: careless-shop/zscore,")
    run = hybridrec.run(experiment(weighted, ("workers: 2", "workers: 2\nrefit: all")))
    (chain,) = [
        pipeline["rerank"] for name, pipeline in yaml.safe_load(run.config)["pipelines"].items() if name == "hybrid"
    ]
    assert chain[0]["normalise"] == "careless-shop/zscore"
    (fusion,) = hybridrec.load(run).pipelines["hybrid"].rerankers["items"]
    assert type(fusion.config.normalise).__module__ == "careless_shop_module"


def test_the_only_provider_needs_no_qualifier_and_two_strangers_are_both_named(install):
    install("careless-shop", offering("rare", "rarer"))
    assert distribution_of(Registry(), "rare") == "careless-shop"
    install("another-shop", offering("rare"))
    registry = Registry()
    with pytest.raises(PluginError, match=r"provided twice, .*say another-shop/rare or careless-shop/rare, or leave"):
        registry.get("components", "rare")
    assert distribution_of(registry, "another-shop/rare") == "another-shop"
    with pytest.raises(
        ConfigError, match="no plugin 'third-shop' provides the component 'rare'; available are another"
    ):
        registry.get("components", "third-shop/rare")
    assert "rare" not in [cls.name for cls in registry.classes("components")]
    assert distribution_of(Registry(prefer={("components", "rare"): "careless-shop"}), "rare") == "careless-shop"


def test_a_run_is_refreshed_by_the_distribution_that_made_it_or_not_at_all(install, experiment, monkeypatch):
    install("careless-shop", offering("rare"))
    served = ("workers: 2", "workers: 2\nrefit: all")
    run = hybridrec.run(experiment(("pop: {use: popularity}", "pop: {use: rare}"), served))
    install("another-shop", offering("rare"))
    assert hybridrec.refresh(run, ["data.users=50"])
    assert type(hybridrec.load(run).components["pop"]).__module__ == "careless_shop_module"
    registry = Registry(block=["careless-shop"], prefer={("components", "rare"): "careless-shop"})
    with pytest.raises(PluginError, match="the run was made with the component 'rare' of careless-shop, which is not"):
        registry.get("components", "rare")


def test_a_class_in_python_leads_to_itself_whoever_else_has_its_name(install):
    install("careless-shop", offering("popularity"))
    registry = Registry()
    theirs, ours = (registry.get("components", name) for name in ("careless-shop/popularity", "popularity"))
    assert (registry.name_of(theirs), registry.name_of(ours)) == ("careless-shop/popularity", "popularity")


def test_one_bad_class_is_left_out_and_the_other_four_are_there(install, experiment, call):
    bad = offering("a", "b", "c", "d", "e").replace('    name = "c"', '    name = "c"\n    folds_inn = True')
    install("careless-shop", bad + "\n\n@hybridrec.hookimpl\ndef hybridrec_metrics():\n    raise OSError('no disk')\n")
    registry = Registry()
    provider = registry.provider("careless-shop")
    assert (provider.error, provider.offers) == (None, {"components": ["a", "b", "d", "e"]})
    with pytest.raises(PluginError, match=r"'c' of plugin 'careless-shop' .* was left out: .*folds_inn: did you mean"):
        registry.get("components", "c")
    with pytest.raises(ConfigError, match=r"It may be a class that was left out: .*OSError: no disk"):
        registry.get("metrics", "profit")
    assert hybridrec.run(experiment(("{use: echo}", "{use: e}"))).report.pipelines
    out = call("plugins")[1]
    assert "ok, 2 left out" in out
    assert "a component was left out: PluginError" in out
    status, _, err = call("check-plugin", "careless-shop")
    assert (status, "folds_inn: did you mean" in err) == (3, True)


def test_a_plugin_for_a_later_api_says_so_although_its_imports_fail(install):
    install("later", 'requires_api = "1.99"\nfrom hybridrec import NewThing\n')
    (broken,) = Registry().broken
    assert f"needs plugin API 1.99, this hybridrec has {API_VERSION}: upgrade hybridrec" in str(broken.error)


def test_the_environment_blocks_plugins_that_need_not_be_installed(install, monkeypatch, call):
    install("careless-shop", "raise SystemExit('was loaded')")
    monkeypatch.setenv("HYBRIDREC_BLOCK", "long-gone, careless-shop,")
    assert Registry().provider_of(Registry().get("components", "ease")).distribution == "hybridrec"
    assert [provider.name for provider in Registry().providers if provider.blocked] == ["careless-shop"]
    assert "'long-gone' is blocked and not installed" in call("plugins")[1]


@pytest.mark.parametrize("form", ["file", "mapping", "assignment", "experiment"])
def test_a_config_blocks_plugins(install, experiment, form):
    install("careless-shop", "raise SystemExit('was loaded')")
    block = {"plugins": {"block": ["careless-shop", "long-gone"]}}
    path = experiment(("workers: 2", f"workers: 2\n{yaml.safe_dump(block)}"))
    content = yaml.safe_load(path.read_text())
    plain = experiment(name="plain.yaml")
    configs = {"file": path, "mapping": content, "assignment": plain, "experiment": hybridrec.Experiment(**content)}
    given = ["plugins.block=[careless-shop]"] if form == "assignment" else []
    registry = hybridrec.config.load.registry_for(configs[form], given)
    assert [provider.name for provider in registry.providers if provider.blocked] == ["careless-shop"]
    assert hybridrec.plan(configs[form], given).jobs


def test_a_blocked_plugin_is_told_by_those_who_need_it(experiment, call):
    run = hybridrec.run(experiment(("workers: 2", "workers: 2\nrefit: all")))
    for command in (("recommend", run.folder, "--item", "i1"), ("refresh", run.folder)):
        status, _, err = call(*command, "--block", "toyland")
        assert (status, "which is blocked" in err) == (3, True)
    with pytest.raises(PluginError, match=r"needs plugin 'toyland' .* which is blocked"):
        hybridrec.load(run, block=["toyland"])
    with pytest.raises(ConfigError, match="no plugin to block is called 'toylnad'"):
        hybridrec.load(run, block=["toylnad"])
