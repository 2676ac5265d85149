"""The public API: what plugins may import, all of it there, all of it described."""

import ast
import builtins
import inspect
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass

import pytest

import hybridrec
from hybridrec import kernels, testing, text_files

NAMES = [
    "API_VERSION",
    "Artifact",
    "AttributeIndex",
    "BanditLog",
    "BatchRecommender",
    "Bools",
    "Candidates",
    "ColumnPattern",
    "ColumnWeights",
    "Comparison",
    "Component",
    "ComponentRef",
    "ConfigError",
    "CurveFigure",
    "DAY",
    "DataError",
    "DataProfile",
    "DataReport",
    "Dataset",
    "DenseModel",
    "Doubles",
    "EVERY_KIND",
    "Embedding",
    "Entities",
    "EntityKind",
    "EvalBatch",
    "Event",
    "Exclude",
    "Executor",
    "ExecutorPlugin",
    "Experiment",
    "Explanation",
    "Exporter",
    "Fault",
    "FeatureColumn",
    "FeatureType",
    "FeatureValue",
    "Features",
    "Field",
    "Figure",
    "Filter",
    "FilterError",
    "FilterRule",
    "FitContext",
    "FitFinished",
    "FitJob",
    "FitOutcome",
    "FitPlan",
    "FitProgressed",
    "FitTimeoutError",
    "Floats",
    "Fold",
    "Generator",
    "GeneratorLabel",
    "HeldOutQuery",
    "HybridrecError",
    "ITEMS",
    "InputPath",
    "Interactions",
    "Interleaved",
    "Ints",
    "ItemVectors",
    "Job",
    "Kind",
    "Longs",
    "MapLegend",
    "Match",
    "MemoryBudgetError",
    "Metric",
    "MissingDependencyError",
    "Move",
    "Neighbour",
    "Normaliser",
    "NormaliserUse",
    "NpyRows",
    "ObjectStorageError",
    "Observer",
    "OffPolicyEstimate",
    "Options",
    "PADDING",
    "PROPENSITY",
    "PipelineConfig",
    "Plugin",
    "PluginError",
    "Pool",
    "ProcessExecutor",
    "Progress",
    "ProgressPoint",
    "Provider",
    "Query",
    "QueryBatch",
    "Ragged",
    "Reader",
    "Recommender",
    "Refreshed",
    "Registry",
    "Report",
    "Reranker",
    "Role",
    "Run",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "Sample",
    "Scorer",
    "SearchFinished",
    "Secret",
    "Segmenter",
    "SetMetric",
    "Similarity",
    "SimilarityOptions",
    "Slate",
    "SlatesServed",
    "Sparse",
    "Splitter",
    "StageFinished",
    "Starter",
    "StarterConfig",
    "State",
    "Store",
    "StoreError",
    "StripesFigure",
    "TableFigure",
    "TableOptions",
    "TableReader",
    "Tables",
    "Target",
    "ThreadExecutor",
    "TokenVocabulary",
    "Tokenizer",
    "Tolerance",
    "Trial",
    "TrialFinished",
    "TuneCallback",
    "Tuned",
    "USERS",
    "ValidationSplit",
    "Values",
    "VectorModel",
    "Vocabulary",
    "WeightOptions",
    "WriteError",
    "assemble",
    "bag_of_words",
    "describe_comparison",
    "did_you_mean",
    "dispatch_jobs",
    "encode_words",
    "filled",
    "find",
    "hookimpl",
    "interleave",
    "interleave_run",
    "kernels",
    "label_rng",
    "load",
    "make_csr",
    "map_npy",
    "off_policy_estimates",
    "open_store",
    "pack_csr",
    "pack_words",
    "plan",
    "positions",
    "print_report",
    "print_table",
    "read_yaml",
    "refresh",
    "replacing",
    "run",
    "run_fit_job",
    "simulated_marginals",
    "stack_columns",
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


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.ismodule(getattr(hybridrec, name))])
def test_a_module_may_be_the_first_that_is_imported(name):
    """Once anything else has imported it, it is an attribute of its package anyway."""
    subprocess.run([sys.executable, "-c", f"from hybridrec import {name}"], check=True)


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isclass(getattr(hybridrec, name))])
def test_every_public_method_is_described(name):
    methods = {
        key: value
        for key, value in vars(getattr(hybridrec, name)).items()
        if not key.startswith("_") and isinstance(value, (property, classmethod, staticmethod, type(lambda: 0)))
    }
    assert [key for key, value in methods.items() if not inspect.getdoc(value)] == []


ELSEWHERE = {
    "abc", "builtins", "click", "collections", "concurrent", "contextlib", "datetime", "enum", "importlib", "numpy",
    "pathlib", "polars", "pydantic", "scipy", "types", "typing",
}  # fmt: skip
"""Packages whose types a public signature may name."""
INNER = {
    "FitContext.fitted": "the engine's own half of a context: an executor hands the context on",
    "FitJob.spec": "the engine's own half of a job: an executor hands the job on",
    "Recommender.__init__": "`load` makes recommenders",
    "Recommender.pipeline": "the engine's own: `recommend` and `explain` are for others",
    "Run.serving": "the engine's own: `load` and `refresh` read it",
    "TuneCallback.began": "the section `tune` as it was checked, for the tables of the command line",
    "Vocabulary.of_packed": "the engine's own: a data set that is read from a file or a store is made of such arrays",
    "Vocabulary.packed": "the engine's own: files and fingerprints take the arrays; `ids` and `texts` are for others",
}
"""Methods of public classes that other parts of the engine call, each with the reason why nobody else does."""


def signatures() -> Iterator[tuple[str, dict[str, str], dict[str, object]]]:
    """Every public function, method and data class: its name, its annotations, and the names around it."""
    for name in NAMES:
        thing = getattr(hybridrec, name)
        if inspect.isfunction(thing):
            yield name, thing.__annotations__, inspect.unwrap(thing).__globals__
        elif inspect.isclass(thing):
            module = inspect.getmodule(thing)
            assert module is not None
            if is_dataclass(thing):
                yield name, vars(thing).get("__annotations__", {}), vars(module)
            for key, member in tuple(vars(thing).items()):  # an annotation that is read may add to it
                function = getattr(member, "fget", None) or getattr(member, "__func__", member)
                made = key == "__init__" and not is_dataclass(thing)
                if inspect.isfunction(function) and (made or not key.startswith("_")):
                    yield f"{name}.{key}", function.__annotations__, function.__globals__


def strangers(annotation: object, around: dict[str, object]) -> Iterator[str]:
    """The names in an annotation that mean neither something public nor a type of another package."""
    if not isinstance(annotation, str):
        yield from (str(annotated) for annotated in types_in(annotation) if not is_public(annotated))
        return
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            continue  # the values of a Literal
        if isinstance(node, ast.Name) and node.id not in vars(typing) and node.id not in vars(builtins):
            value = around.get(node.id)
            if value is None or isinstance(value, str):  # imported for type checkers alone, or an alias of such a name
                yield from () if node.id in {*NAMES, "pl"} else (node.id,)
            elif not inspect.ismodule(value):
                yield from () if all(is_public(annotated) for annotated in types_in(value)) else (node.id,)


def types_in(alias: object) -> Iterator[object]:
    """The types that an alias stands for: of `dict[str, Pool]` dict, str and Pool."""
    origin = typing.get_origin(alias)
    if origin is None:
        yield alias
    elif origin is not typing.Literal:
        yield origin
        for inner in typing.get_args(alias):
            for argument in inner if isinstance(inner, list) else (inner,):
                yield from types_in(argument)


def is_public(thing: object) -> bool:
    """Return True for what is exported, and for the types of other packages."""
    if not isinstance(thing, type):
        return True
    return any(thing is getattr(hybridrec, name) for name in NAMES) or thing.__module__.partition(".")[0] in ELSEWHERE


def hidden_types(annotations: dict[str, str], around: dict[str, object]) -> list[str]:
    return [f"{key}: {name}" for key, annotation in annotations.items() for name in strangers(annotation, around)]


SIGNATURES = {name: hidden_types(annotations, around) for name, annotations, around in signatures()}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_public_signature_names_public_types_alone(name):
    if name in INNER:
        assert SIGNATURES[name], f"{name} names public types alone: strike it from INNER"
    else:
        assert SIGNATURES[name] == []


def test_a_hidden_type_in_a_signature_is_found():
    from hybridrec.config.experiment import ComponentSpec
    from hybridrec.registry.hookspecs import API_VERSION

    around = {
        "ComponentSpec": ComponentSpec,
        "Pool": hybridrec.Pool,
        "API_VERSION": API_VERSION,
        "Many": dict[str, list[ComponentSpec]],
    }
    assert hidden_types({"a": "dict[str, Spec] | None", "b": "Pool", "c": "list[Pool | int]"}, around) == ["a: Spec"]
    assert hidden_types({"a": "Many", "b": "pl.DataFrame", "c": "Vocabulary", "d": "Store2"}, around) == [
        "a: Many", "d: Store2",
    ]  # fmt: skip


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
