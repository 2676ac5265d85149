"""The public API: what plugins may import, all of it there, all of it described."""

import inspect

import pytest

import hybridrec
from hybridrec import kernels, testing, text_files

NAMES = [
    "API_VERSION",
    "Bools",
    "Candidates",
    "ColumnWeights",
    "Component",
    "ComponentRef",
    "ConfigError",
    "DAY",
    "DataError",
    "DataProfile",
    "Dataset",
    "DenseModel",
    "Doubles",
    "Exclude",
    "Executor",
    "Experiment",
    "Exporter",
    "FIELDS",
    "Features",
    "Field",
    "FitContext",
    "FitJob",
    "FitOutcome",
    "Floats",
    "Fold",
    "Generator",
    "GeneratorLabel",
    "HybridrecError",
    "InputPath",
    "Interleaved",
    "Ints",
    "Judged",
    "Lexicon",
    "Logged",
    "Longs",
    "MemoryBudgetError",
    "Metric",
    "MissingDependencyError",
    "Normaliser",
    "NormaliserUse",
    "OffPolicyEstimate",
    "Options",
    "PADDING",
    "PipelineConfig",
    "Plugin",
    "PluginError",
    "Pool",
    "Query",
    "QueryBatch",
    "Ragged",
    "Reader",
    "Recommender",
    "Refreshed",
    "Reranker",
    "Run",
    "Scorer",
    "SetMetric",
    "Slate",
    "Sparse",
    "Splitter",
    "Starter",
    "State",
    "StoreError",
    "TARGETS",
    "Tables",
    "Target",
    "ThreadExecutor",
    "Tokenizer",
    "Tuned",
    "Values",
    "VectorModel",
    "Vocabulary",
    "WeightOptions",
    "assemble",
    "bag_of_words",
    "dispatch_jobs",
    "encode_words",
    "hookimpl",
    "interleave",
    "kernels",
    "load",
    "off_policy_estimates",
    "pack_csr",
    "pack_words",
    "refresh",
    "run",
    "run_fit_job",
    "take",
    "text_files",
    "tokens",
    "tune",
    "unpack_csr",
    "unpack_words",
    "use",
    "valued",
]


def test_the_names_are_these():
    """A name is added here on purpose; one that goes breaks plugins."""
    assert sorted(hybridrec.__all__) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_described(name):
    value = getattr(hybridrec, name)
    if inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value):
        description = inspect.getdoc(value)
        assert description
        assert not description.startswith(f"{name}(")  # the one that dataclasses makes up


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isclass(getattr(hybridrec, name))])
def test_every_public_method_is_described(name):
    methods = {
        key: value
        for key, value in vars(getattr(hybridrec, name)).items()
        if not key.startswith("_") and isinstance(value, (property, classmethod, staticmethod, type(lambda: 0)))
    }
    assert [key for key, value in methods.items() if not inspect.getdoc(value)] == []


def test_every_kernel_is_described():
    kernels = inspect.getmembers(
        hybridrec.kernels, lambda kernel: inspect.isfunction(kernel) or inspect.isclass(kernel)
    )
    assert [name for name, kernel in kernels if not kernel.__doc__] == []


@pytest.mark.parametrize("module", [kernels, text_files, testing])
def test_a_public_module_lists_what_is_its_own_and_described(module):
    assert len(module.__all__) == len({*module.__all__})
    for name in module.__all__:
        thing = getattr(module, name)
        assert thing.__module__.startswith("hybridrec.")
        assert inspect.getdoc(thing), f"{name} has no docstring"


def test_every_kernel_is_listed():
    made = {name for name, thing in vars(kernels).items() if inspect.isfunction(thing) or inspect.isclass(thing)}
    own = {name for name in made if name[0] != "_"}
    assert own == {*kernels.__all__}
