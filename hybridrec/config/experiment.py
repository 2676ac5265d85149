"""A checked experiment: everything that the config names, resolved and validated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from hybridrec.config.models import ExperimentConfig, PipelineUse, Range, Tradeoff
from hybridrec.data.fingerprint import json_digest
from hybridrec.data.queries import KNOWN_FIELDS
from hybridrec.data.readers.base import Reader
from hybridrec.data.segments.base import Segmenter
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.data.splits.base import Splitter
from hybridrec.data.text.tokenizers import Tokenizer
from hybridrec.evaluation.metrics import MetricAtK
from hybridrec.observers.base import Observer
from hybridrec.plugin import Options, Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.option_types import used_component
from hybridrec.stages.component import CPU, Component
from hybridrec.stages.filter import Filter
from hybridrec.stages.query_filters import SeenFilter
from hybridrec.types import Target

RelevantItems: TypeAlias = Literal["all", "new", "repeated"]
M = TypeVar("M", bound=BaseModel)
OBSERVE = "observe"
"""The section of a config that decides nothing."""


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """A component as the config describes it: its label, its class and its validated options."""

    label: str
    cls: type[Component]
    options: Options
    base_model: ComponentSpec | None = None
    """The component that it `uses`."""
    use: str = ""
    """The name that leads to the class, if it is not the name of the class: `distribution/name`."""
    digests: Mapping[type[Plugin], str] = field(default_factory=dict, hash=False)
    """Digests of those classes, its own and those among its options, that come without packaging."""
    keeps: bool = True
    """False if the source of one of these is not there: then what it makes is not kept for later runs."""
    device: str = CPU
    """Where it may compute."""

    @classmethod
    def of(
        cls, label: str, use: str, component: type[Component], options: Options, registry: Registry
    ) -> ComponentSpec:
        """Return the component that a name leads to in a registry."""
        classes = [component, *(type(value) for _, value in options if isinstance(value, Plugin))]
        keeps = all(map(registry.has_source, classes))
        return cls(label, component, options, None, use, registry.digests_of(classes), keeps)

    @property
    def name(self) -> str:
        """The name that leads to the class."""
        return self.use or self.cls.name

    @property
    def kept(self) -> bool:
        """True if its fits are kept for later runs: there is source of all that they are made with."""
        return self.keeps and (self.base_model is None or self.base_model.kept)

    @property
    def base_models(self) -> tuple[ComponentSpec, ...]:
        """All components that it stands on, the lowest first: its base model, and what that one uses."""
        return () if self.base_model is None else (*self.base_model.base_models, self.base_model)

    def create(self) -> Component:
        """Create a new, unfitted instance."""
        component = self.cls(self.options)
        component.device = self.device
        if self.base_model is not None:
            component.use(self.base_model.create())
        return component

    @property
    def decisive_device(self) -> str | None:
        """The kind of device that decides what it learns; None if it uses none.

        The number of one among several of a kind decides nothing.
        """
        return self.device.partition(":")[0] if self.cls.uses_device else None

    @property
    def needing(self) -> tuple[type[Component] | Tokenizer, ...]:
        """Its class and the tokenizers among its options: the objects that may need optional libraries."""
        return (self.cls, *(value for _, value in self.options if isinstance(value, Tokenizer)))

    @property
    def requires(self) -> tuple[str, ...]:
        """Import names of these libraries: their versions are part of what it learns."""
        return tuple(module for dependent in self.needing for module in dependent.requires)

    @property
    def uses(self) -> str | None:
        """The label of the component that an option refers to."""
        reference = used_component(self.options)
        return None if reference is None else reference.label


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A filter of a pipeline, not fitted, and its place in the config."""

    place: str
    filter: Filter
    implied: bool = False
    """True if a pipeline has it without listing it: `seen` or `disliked`."""

    @property
    def excludes_seen(self) -> bool:
        """True if it excludes all that a query shows."""
        return isinstance(self.filter, SeenFilter) and self.filter.config.everything

    def is_like(self, other: FilterSpec) -> bool:
        """Return True if the other one is the same rule, wherever the config says it."""
        return type(self.filter) is type(other.filter) and self.filter.config == other.filter.config


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A pipeline with its re-rankers resolved, one chain per target; `single` marks a reference arm."""

    name: str
    use: PipelineUse
    rerankers: dict[Target, tuple[ComponentSpec, ...]]
    single: bool = False
    filters: tuple[FilterSpec, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Labels of the components it needs, in order of first mention."""
        mentioned = [g.source for g in self.use.generators] + self.use.scorers + self.use.fallback
        used = [spec.uses for spec in self.reranker_specs() if spec.uses is not None]
        return list(dict.fromkeys(mentioned + used))

    @property
    def learns(self) -> bool:
        """True if one of its re-rankers has to be learned on out-of-sample scores."""
        return any(spec.create().learns for spec in self.reranker_specs())  # type: ignore[attr-defined]

    def draws(self, target: Target) -> bool:
        """Return True if its slates for the target are drawn at random."""
        return any(spec.create().stochastic for spec in self.rerankers.get(target, ()))

    def reranker_specs(self) -> Iterator[ComponentSpec]:
        """Yield all re-rankers of all targets."""
        for chain in self.rerankers.values():
            yield from chain


@dataclass(frozen=True, slots=True)
class TradeoffCurve:
    """A trade-off: the pipeline at each of the values."""

    use: Tradeoff
    points: tuple[PipelineSpec, ...]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric on a target."""

    target: Target
    measure: MetricAtK
    of: RelevantItems = "all"
    """The relevant items that count: all, or those that the query does not show, or does."""

    @property
    def key(self) -> str:
        """The name in reports, as written in the config."""
        return self.measure.key(self.target)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One option that is searched: its key path, its space, and the value in the config."""

    path: str
    values: Range | tuple[Any, ...]
    start: Any

    @property
    def whole(self) -> bool:
        """True if it is a range of whole numbers."""
        values = self.values
        return isinstance(values, Range) and all(
            isinstance(n, int) for n in (values.low, values.high, values.step or 1)
        )

    @property
    def samples(self) -> list[Any]:
        """The values that must all be valid for the dimension to be valid: every choice, or both ends."""
        return [self.values.low, self.values.high] if isinstance(self.values, Range) else list(self.values)

    def __contains__(self, value: object) -> bool:
        if not isinstance(self.values, Range):
            return value in self.values
        if not isinstance(value, int if self.whole else (int, float)):
            return False
        steps = (value - self.values.low) / (self.values.step or 1)
        on_step = self.values.step is None or abs(steps - round(steps)) < 1e-9
        return self.values.low <= value <= self.values.high and on_step

    def text(self, value: Any) -> str:
        """Return a value as one line, for tables; `parse` is the inverse."""
        return value if isinstance(value, str) else json.dumps(value)

    def parse(self, text: str) -> Any:
        """Return the value that `text` made this line from."""
        if isinstance(self.values, Range):
            return json.loads(text)
        return next(value for value in self.values if self.text(value) == text)


@dataclass(frozen=True, slots=True)
class Bound:
    """A condition on a trial: a metric must not be below (or not above) a limit."""

    metric_spec: MetricSpec
    at_least: bool
    limit: float

    def __str__(self) -> str:
        return f"{self.metric_spec.key} {'>=' if self.at_least else '<='} {self.limit:g}"

    def excess(self, value: float) -> float:
        """Return the distance of a value beyond the limit: more than 0 where the bound is violated."""
        return self.limit - value if self.at_least else value - self.limit


@dataclass(frozen=True, slots=True)
class Tuning:
    """A checked `tune` section."""

    pipeline: str
    metric_spec: MetricSpec
    bounds: tuple[Bound, ...]
    space: tuple[Dimension, ...]

    @property
    def metric_specs(self) -> dict[str, MetricSpec]:
        """The metrics measured in each trial, by their names in reports."""
        return {
            metric_spec.key: metric_spec
            for metric_spec in (self.metric_spec, *(bound.metric_spec for bound in self.bounds))
        }


@dataclass(frozen=True, slots=True)
class CheckedExperiment:
    """A checked config, with everything that it names resolved and its options validated."""

    config: ExperimentConfig
    reader: Reader
    splitter: Splitter
    components: dict[str, ComponentSpec]
    pipelines: dict[str, PipelineSpec]
    metric_specs: tuple[MetricSpec, ...]
    segmenters: dict[str, Segmenter] = field(default_factory=lambda: {KNOWN_FIELDS: KnownFields()})
    """By name in reports; the first feeds blends and guards."""
    curves: tuple[TradeoffCurve, ...] = ()
    notes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Sentences on names that several plugins provide; a report must not depend on which plugins are installed."""
    validation: bool = False
    """Measure on validation queries from inside the training parts; no test query is touched."""
    reader_digest: str | None = ""
    """Digest of the source of a reader without packaging, None if that is not there; empty for an installed one."""
    observers: Mapping[str, Observer] = field(default_factory=dict)
    """By their keys in `observe`."""
    tuning: Tuning | None = None
    """The search space of `hybridrec tune`, if the config has one."""

    @property
    def refitted(self) -> bool:
        """True if the pipelines are trained on all data at the end, to recommend with."""
        return self.config.refit == "all" and not self.validation

    @property
    def measured(self) -> dict[str, PipelineSpec]:
        """Every pipeline that is evaluated: those of the config, and the points of the curves."""
        return self.pipelines | {pipeline.name: pipeline for curve in self.curves for pipeline in curve.points}

    @property
    def metrics(self) -> list[str]:
        """The names in reports of all metrics: those listed in the config, in its order, then the parts of combined
        metrics."""
        compare, keys = self.config.compare, iter([metric_spec.key for metric_spec in self.metric_specs])
        listed = [
            entry if isinstance(entry, str) and entry in compare.combined else next(keys) for entry in compare.metrics
        ]
        return list(dict.fromkeys([*listed, *keys]))

    @property
    def lower_is_better(self) -> list[str]:
        """The names in reports of the measured metrics of which less is better."""
        return [metric_spec.key for metric_spec in self.metric_specs if not metric_spec.measure.metric.higher_is_better]

    @property
    def resolved(self) -> dict[str, Any]:
        """The config with all defaults filled in, as plain values (the content of a run's `config.yaml`)."""
        content = self.config.model_dump(mode="json", by_alias=True, exclude_none=True)
        given = content["data"]
        content["data"] = {"reader": given["reader"], **_plain(self.reader.config)}
        if self.config.data.through_items:
            content["data"]["through_items"] = list(self.config.data.through_items)
        content["compare"]["metrics"] = self._resolved_metrics()
        if self.config.compare.segments is not None:
            content["compare"]["segments"] = [
                {"use": segmenter.name, "as": label, **_plain(segmenter.config)}
                for label, segmenter in self.segmenters.items()
            ]
        content["split"] = {"use": self.config.split.use, **_plain(self.splitter.config)}
        content["components"] = {
            label: {"use": spec.name, **_plain(spec.options)} for label, spec in self.components.items()
        }
        if self.observers:
            content["observe"] = {name: _plain(observer.config) for name, observer in self.observers.items()}
        else:
            del content["observe"]
        for name, use in self.config.pipelines.items():
            chains = {
                target: [{"use": spec.name, **_plain(spec.options)} for spec in chain]
                for target, chain in self.pipelines[name].rerankers.items()
            }
            by_target = isinstance(use.rerank, dict)
            content["pipelines"][name]["rerank"] = chains if by_target else next(iter(chains.values()))
        return content

    def _resolved_metrics(self) -> list[Any]:
        """Return the listed metrics, those that are mappings with all of their options."""
        compare, specs = self.config.compare, iter(self.metric_specs)
        resolved: list[Any] = []
        for entry in compare.metrics:
            if isinstance(entry, str):
                resolved.append(entry)
                if entry not in compare.combined:
                    next(specs)
            else:
                named = {"at": entry.at, "as": entry.label, "of": None if entry.of == "all" else entry.of}
                resolved.append(
                    {"use": entry.use}
                    | {key: value for key, value in named.items() if value is not None}
                    | _plain(next(specs).measure.metric.config)
                )
        return resolved

    @property
    def kept(self) -> bool:
        """True if slates and learned weights are kept for later runs: there is source of all that they stand on."""
        rerankers = [spec for pipeline in self.measured.values() for spec in pipeline.reranker_specs()]
        return all(spec.kept for spec in (*self.components.values(), *rerankers))

    @property
    def hash(self) -> str:
        """Hex digest of the resolved config, without its observers, which decide nothing."""
        return json_digest({key: value for key, value in self.resolved.items() if key != OBSERVE}, 8)


def _plain(options: Options) -> dict[str, Any]:
    return options.model_dump(mode="json", by_alias=True, exclude_none=True)
