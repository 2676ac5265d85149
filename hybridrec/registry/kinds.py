"""The kinds of plugin classes, in one table from which hooks, checks, reference pages and templates are made.

Base classes and contract suites are given as text, "module:name", and imported on demand: a command that does not
need readers does not import them.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Role:
    """A role of the classes of a kind, such as generator; the author of a plugin writes a class for one role or more.

    base: the base class, as "module:name"
    contract: the suite of tests that the class must pass, as "module:name"
    usage: an example of its use, in YAML or as a command line beginning with "hybridrec". It has placeholders: $name
        stands for the name of the class; $options for its required options; $measured for the name of a metric with its
        cut-off and required options; $used for the components that its options refer to; $fusion for a re-ranker that
        fuses, if the example needs one; $normalise for the name of the option that sets its normaliser
    check_options: options that `check-plugin` needs to check a class made from the template of the role
    """

    name: str
    base: str
    contract: str
    usage: str
    check_options: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of classes or instances that plugins offer by one hook.

    name: the singular; the plural (with an s) is the key in the registry and the end of the hook's name
    base: the base class of its classes, as "module:name"
    summary: the docstring of the hook
    roles: the roles of its classes; a class has one or more
    instances: True if plugins offer instances of `base`, False if they offer classes that derive from it
    """

    name: str
    base: str
    summary: str
    roles: tuple[Role, ...]
    instances: bool = False

    @property
    def plural(self) -> str:
        """The plural of the name, which is the key in the registry."""
        return f"{self.name}s"

    @property
    def hook(self) -> str:
        """The name of the hook by which plugins offer classes of this kind."""
        return f"hybridrec_{self.plural}"

    @property
    def base_name(self) -> str:
        """The name of the base class."""
        return self.base.partition(":")[2]

    def includes(self, offer: object) -> bool:
        """Return True if `offer`, a class (or an instance, for a kind of instances), is of this kind."""
        base = resolve(self.base)
        return isinstance(offer, base) if self.instances else isinstance(offer, type) and issubclass(offer, base)

    def roles_of(self, offer: object) -> list[Role]:
        """Return the roles of a class of this kind; an instance has all of them."""
        if not isinstance(offer, type):
            return list(self.roles)
        return [role for role in self.roles if issubclass(offer, resolve(role.base))]


def _only(name: str, base: str, summary: str, contract: str, usage: str, check_options: str = "") -> Kind:
    """Build a kind with a single role, which has the same name."""
    return Kind(name, base, summary, (Role(name, base, contract, usage, check_options),))


_COMPONENT = "components: {$used: , $name: {$options: }}, pipelines: {mine: "
KINDS: tuple[Kind, ...] = (
    Kind(
        "component",
        "hybridrec.stages.component:Component",
        "Component classes of any stage: generators, scorers, re-rankers.",
        (
            Role(
                "generator",
                "hybridrec.stages.component:Generator",
                "hybridrec.testing.components:ComponentContract",
                "{" + _COMPONENT + "{generators: [{from: $name, k: 200}]}}}",
            ),
            Role(
                "scorer",
                "hybridrec.stages.component:Scorer",
                "hybridrec.testing.components:ComponentContract",
                "{" + _COMPONENT + "{scorers: [$name], rerank: [{use: $fusion}]}}}",
            ),
            Role(
                "re-ranker",
                "hybridrec.stages.component:Reranker",
                "hybridrec.testing.rerankers:RerankerContract",
                "{pipelines: {mine: {rerank: [{use: $fusion}, {use: $name, $options: }]}}}",
            ),
        ),
    ),
    _only(
        "normaliser",
        "hybridrec.stages.normaliser:Normaliser",
        "Normaliser classes, the values of a fusion's `normalise`.",
        "hybridrec.testing.normalisers:NormaliserContract",
        "{pipelines: {mine: {rerank: [{use: $fusion, $normalise: $name}]}}}",
    ),
    _only(
        "filter",
        "hybridrec.stages.filter:Filter",
        "Filter classes, the rules under `filters` for what is never shown.",
        "hybridrec.testing.filters:FilterContract",
        "{pipelines: {mine: {filters: [{use: $name, $options: }]}}}",
    ),
    _only(
        "reader",
        "hybridrec.data.readers.base:Reader",
        "Reader classes, the values of `data.reader`.",
        "hybridrec.testing.readers:ReaderContract",
        "{data: {reader: $name, $options: }}",
        "path=src/$package/sample.txt",
    ),
    _only(
        "splitter",
        "hybridrec.data.splits.base:Splitter",
        "Splitter classes, the values of `split.use`.",
        "hybridrec.testing.splitters:SplitterContract",
        "{split: {use: $name, $options: }}",
    ),
    _only(
        "segmenter",
        "hybridrec.data.segments.base:Segmenter",
        "Segmenter classes, the values of `compare.segments`.",
        "hybridrec.testing.segmenters:SegmenterContract",
        "{compare: {segments: [{use: $name, $options: }]}}",
    ),
    _only(
        "metric",
        "hybridrec.evaluation.metrics:Metric",
        "Metric classes, the values of `compare.metrics` before the `@`, or of `use` in its mappings.",
        "hybridrec.testing.metrics:MetricContract",
        "{compare: {metrics: [$measured]}}",
    ),
    _only(
        "exporter",
        "hybridrec.runs.exporter:Exporter",
        "Exporter classes, the values of `hybridrec export --format`.",
        "hybridrec.testing.exporters:ExporterContract",
        "hybridrec export runs/NAME --format $name $options",
    ),
    _only(
        "observer",
        "hybridrec.observers.base:Observer",
        "Observer classes, the keys of `observe`.",
        "hybridrec.testing.observers:ObserverContract",
        "{observe: {$name: {$options: }}}",
        "path=fits.csv",
    ),
    _only(
        "executor",
        "hybridrec.engine.executor:ExecutorPlugin",
        "Executor classes, the values of `executor`.",
        "hybridrec.testing.executors:ExecutorContract",
        "hybridrec run CONFIG.yaml --executor $name",
    ),
    Kind(
        "command",
        "click:Command",
        "Click commands that extend `hybridrec`: loaded when a command is requested that is not built in.",
        (
            Role(
                "command",
                "click:Command",
                "hybridrec.testing.commands:CommandContract",
                "hybridrec $name --help",
            ),
        ),
        instances=True,
    ),
)


def kind_named(plural: str) -> Kind:
    """Return the kind with this plural, such as "components"."""
    return next(kind for kind in KINDS if kind.plural == plural)


def kind_of(offer: object) -> Kind | None:
    """Return the first kind that includes a class or an instance; None if no kind does."""
    return next((kind for kind in KINDS if kind.includes(offer)), None)


def resolve(name: str) -> Any:
    """Import the object named by "module:name"."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
