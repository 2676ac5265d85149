"""The kinds of things that plugins offer: the one table from which hooks, checks, pages and templates are made.

Base classes and contract suites are named as text, "module:name", and imported when they are asked for: a command
that needs no reader does not import one.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Role:
    """A part that the classes of a kind play; an author of a plugin writes a class for a role.

    base: what the class derives from, as "module:name"
    contract: the suite it has to pass, as "module:name"
    usage: how a config, in YAML, or the command line, beginning with "hybridrec", uses it. $name is its name and
        $options its required options; $cut_off is "@10" where a metric has a cut-off, $used the components that its
        options refer to, $fusion a re-ranker that fuses, where one has to come before, and $normalise the option
        by which it names a normaliser.
    check_options: options without which `check-plugin` cannot check what the template of the role makes
    """

    name: str
    base: str
    contract: str
    usage: str
    check_options: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of things that plugins offer from one hook.

    name: one of them is called so; several add an s, which is the key of the registry and the end of the hook
    base: the class that theirs derive from, as "module:name"
    summary: what the hook returns
    roles: what its classes can be; a class plays one or more
    instances: whether the hook returns instances of `base` itself, in place of classes that derive from it
    """

    name: str
    base: str
    summary: str
    roles: tuple[Role, ...]
    instances: bool = False

    @property
    def plural(self) -> str:
        """The key of the registry."""
        return f"{self.name}s"

    @property
    def hook(self) -> str:
        """The name of the hook that offers them."""
        return f"hybridrec_{self.plural}"

    @property
    def base_name(self) -> str:
        """The name of the base class."""
        return self.base.partition(":")[2]

    def includes(self, offer: object) -> bool:
        """Return True if a class, or an instance where the kind has instances, is of this kind."""
        base = resolve(self.base)
        return isinstance(offer, base) if self.instances else isinstance(offer, type) and issubclass(offer, base)

    def roles_of(self, offer: object) -> list[Role]:
        """Return the roles that a class of this kind plays; an instance plays them all."""
        if not isinstance(offer, type):
            return list(self.roles)
        return [role for role in self.roles if issubclass(offer, resolve(role.base))]


def _only(name: str, base: str, summary: str, contract: str, usage: str, check_options: str = "") -> Kind:
    """Return a kind with one role, which is called like it."""
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
                "{" + _COMPONENT + "{scorers: [$name]}}}",
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
        "Normaliser classes: what `normalise` of a fusion may say.",
        "hybridrec.testing.normalisers:NormaliserContract",
        "{pipelines: {mine: {rerank: [{use: $fusion, $normalise: $name}]}}}",
    ),
    _only(
        "reader",
        "hybridrec.data.readers.base:Reader",
        "Reader classes: what `data.reader` may say.",
        "hybridrec.testing.readers:ReaderContract",
        "{data: {reader: $name, $options: }}",
        "path=src/$package/sample.txt",
    ),
    _only(
        "splitter",
        "hybridrec.data.splits.base:Splitter",
        "Splitter classes: what `split.use` may say.",
        "hybridrec.testing.splitters:SplitterContract",
        "{split: {use: $name, $options: }}",
    ),
    _only(
        "metric",
        "hybridrec.evaluation.metrics:Metric",
        "Metric classes: what `compare.metrics` may say before the `@`.",
        "hybridrec.testing.metrics:MetricContract",
        "{compare: {metrics: [$name$cut_off]}}",
    ),
    _only(
        "exporter",
        "hybridrec.runs.exporter:Exporter",
        "Exporter classes: what `hybridrec export --format` may say.",
        "hybridrec.testing.exporters:ExporterContract",
        "hybridrec export runs/NAME --format $name $options",
    ),
    Kind(
        "command",
        "click:Command",
        "Commands of click, which `hybridrec` takes beside its own: loaded when it is asked for one that it lacks.",
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
    """Return the kind of this key, "components" say."""
    return next(kind for kind in KINDS if kind.plural == plural)


def kind_of(offer: object) -> Kind | None:
    """Return the first kind that a class or an instance is of; None if it is of none."""
    return next((kind for kind in KINDS if kind.includes(offer)), None)


def resolve(name: str) -> Any:
    """Import what "module:name" names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
