"""A checked experiment: everything that the config names, resolved and validated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from hybridrec.config.models import THREADS, ExperimentConfig, PipelineUse, Range, Tradeoff
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
UNDECIDING = ("observe", "store", "executor", "fit_timeout")
"""The sections of a config that do not change any result."""


@dataclass(frozen=True, slots=True)
class OptionChoice:
    """An option of a component whose value a run chooses by the data (`choose` in the config).

    option: the key of the option
    options: for each of its values, all options of the component with this value
    """

    option: str
    options: tuple[Options, ...]

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the option among which a run chooses, as plain values."""
        return tuple(_plain(options).get(self.option) for options in self.options)


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """A component as the config describes it: its label, its class and its validated options."""

    label: str
    cls: type[Component]
    options: Options
    base_model: ComponentSpec | None = None
    """The component that the option `uses` names; None for a component without a base model."""
    use: str = ""
    """The name in the config if it is qualified, `distribution/name`; else empty."""
    digests: Mapping[type[Plugin], str] = field(default_factory=dict, hash=False)
    """The digest of each class without packaging among its own class and the classes of plugins in its options."""
    keeps: bool = True
    """False if the source of its class, or of the class of a plugin in its options, is unknown; then its fits are not
    kept for later runs."""
    device: str = CPU
    """The device on which the component may compute."""
    choice: OptionChoice | None = None
    """The values of an option among which a run chooses before it fits the component; None without `choose`,
    and once the value is chosen."""

    @classmethod
    def of(
        cls, label: str, use: str, component: type[Component], options: Options, registry: Registry
    ) -> ComponentSpec:
        """Build the spec of a component of this class and these options; `registry` knows the sources of classes."""
        classes = [component, *(type(value) for _, value in options if isinstance(value, Plugin))]
        keeps = all(map(registry.has_source, classes))
        return cls(label, component, options, None, use, registry.digests_of(classes), keeps)

    @property
    def name(self) -> str:
        """The name by which the class is found: the name in the config if that is qualified, else `cls.name`."""
        return self.use or self.cls.name

    @property
    def kept(self) -> bool:
        """True if its fits are kept for later runs: the sources of all classes that decide them are known."""
        return self.keeps and (self.base_model is None or self.base_model.kept)

    @property
    def base_models(self) -> tuple[ComponentSpec, ...]:
        """All components on which it depends: its base model, the base model's own base model, and so on.

        The component that depends on no other comes first.
        """
        return () if self.base_model is None else (*self.base_model.base_models, self.base_model)

    def with_choice(self, place: int) -> ComponentSpec:
        """Return the spec with the option set to the value at index `place` of the choice; its `choice` is None."""
        assert self.choice is not None
        return replace(self, options=self.choice.options[place], choice=None)

    @property
    def variants(self) -> tuple[ComponentSpec, ...]:
        """The component with each value of its choice; the component itself if it has no choice."""
        return (self,) if self.choice is None else tuple(map(self.with_choice, range(len(self.choice.options))))

    @property
    def plain(self) -> dict[str, Any]:
        """The entry of the component in a config with all of its options; an option to be chosen is under `choose`."""
        entry = {"use": self.name, **_plain(self.options)}
        if self.choice is not None:
            entry.pop(self.choice.option, None)
            entry["choose"] = {self.choice.option: list(self.choice.values)}
        return entry

    def create(self) -> Component:
        """Create a new, unfitted instance of the component, with an unfitted base model if it uses one."""
        component = self.cls(self.options)
        component.device = self.device
        if self.base_model is not None:
            component.use(self.base_model.create())
        return component

    @property
    def decisive_device(self) -> str | None:
        """The kind of device (`cpu`, `cuda`) on which its fits depend; None for a component that uses no device.

        The number of the device (`cuda:1`) is left out, since it does not change what is learned.
        """
        return self.device.partition(":")[0] if self.cls.uses_device else None

    @property
    def needing(self) -> tuple[type[Component] | Tokenizer, ...]:
        """The objects that may need optional libraries: its class, and the tokenizers among its options."""
        return (self.cls, *(value for _, value in self.options if isinstance(value, Tokenizer)))

    @property
    def requires(self) -> tuple[str, ...]:
        """Import names of the optional libraries that it needs; the key of a fit depends on their versions."""
        return tuple(module for dependent in self.needing for module in dependent.requires)

    @property
    def uses(self) -> str | None:
        """The label of the component that its options refer to; None if they refer to no component."""
        reference = used_component(self.options)
        return None if reference is None else reference.label


@dataclass(frozen=True, slots=True)
class FilterSpec:
    """A filter of a pipeline, not fitted, and its place in the config."""

    place: str
    filter: Filter
    implied: bool = False
    """True if a pipeline has it without listing it: `seen` or `disliked`."""
    digests: Mapping[type[Plugin], str] = field(default_factory=dict, hash=False)
    """The digest of its class, if the class comes without packaging; else empty."""
    kept: bool = True
    """False if the source of its class is unknown, so that no slate of the run is kept for later runs."""

    @property
    def excludes_seen(self) -> bool:
        """True if the filter excludes all items that are in the query already."""
        return isinstance(self.filter, SeenFilter) and self.filter.config.everything

    def is_like(self, other: FilterSpec) -> bool:
        """Return True if the other filter is the same rule, that is, has the same class and options."""
        return type(self.filter) is type(other.filter) and self.filter.config == other.filter.config


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """A pipeline of the config with its re-rankers resolved, a chain for each target.

    `single` is True for an arm that is a component alone.
    """

    name: str
    use: PipelineUse
    rerankers: dict[Target, tuple[ComponentSpec, ...]]
    single: bool = False
    filters: tuple[FilterSpec, ...] = ()

    @property
    def labels(self) -> list[str]:
        """Labels of the components that the pipeline needs, in order of first mention."""
        mentioned = [g.source for g in self.use.generators] + self.use.scorers + self.use.fallback
        used = [spec.uses for spec in self.reranker_specs() if spec.uses is not None]
        return list(dict.fromkeys(mentioned + used))

    @property
    def learns(self) -> bool:
        """True if one of its re-rankers learns from out-of-fold scores."""
        return any(spec.create().learns for spec in self.reranker_specs())  # type: ignore[attr-defined]

    def draws(self, target: Target) -> bool:
        """Return True if one of its re-rankers for the target draws slates at random."""
        return any(spec.create().stochastic for spec in self.rerankers.get(target, ()))

    def reranker_specs(self) -> Iterator[ComponentSpec]:
        """Yield the re-rankers of all targets."""
        for chain in self.rerankers.values():
            yield from chain


@dataclass(frozen=True, slots=True)
class TradeoffCurve:
    """A trade-off of the config, with the pipeline at each value of the varied option."""

    use: Tradeoff
    points: tuple[PipelineSpec, ...]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric of the config, with its target, and with the relevant items that it counts."""

    target: Target
    measure: MetricAtK
    of: RelevantItems = "all"
    """The relevant items that it counts: `all`, only items not in the query's history (`new`), or only items in it
    (`repeated`)."""

    @property
    def key(self) -> str:
        """The name in reports, as written in the config."""
        return self.measure.key(self.target)


@dataclass(frozen=True, slots=True)
class Dimension:
    """One option that a search varies: its key path, its range or choices, and its value in the config."""

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
        """The values with which the config is checked: every choice, or both ends of a range."""
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
        """Format a value as one line of text, for tables; `parse` is the inverse."""
        return value if isinstance(value, str) else json.dumps(value)

    def parse(self, text: str) -> Any:
        """Return the value that is written as `text`: the inverse of the method `text`."""
        if isinstance(self.values, Range):
            return json.loads(text)
        return next(value for value in self.values if self.text(value) == text)


@dataclass(frozen=True, slots=True)
class Bound:
    """A condition on trials: a metric must be at least `limit` if `at_least` is True, else at most `limit`."""

    metric_spec: MetricSpec
    at_least: bool
    limit: float

    def __str__(self) -> str:
        return f"{self.metric_spec.key} {'>=' if self.at_least else '<='} {self.limit:g}"

    def excess(self, value: float) -> float:
        """Return the distance by which a value violates the bound; 0 or less if it satisfies the bound."""
        return self.limit - value if self.at_least else value - self.limit


@dataclass(frozen=True, slots=True)
class Tuning:
    """The checked section `tune` of a config: the pipeline, metric, bounds and space of a search."""

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
    """A checked config, in which every name is resolved to a class or an instance, and every option validated."""

    config: ExperimentConfig
    reader: Reader
    splitter: Splitter
    components: dict[str, ComponentSpec]
    pipelines: dict[str, PipelineSpec]
    metric_specs: tuple[MetricSpec, ...]
    segmenters: dict[str, Segmenter] = field(default_factory=lambda: {KNOWN_FIELDS: KnownFields()})
    """The segmenters by name in reports; blends and guards that work by segment use the first."""
    curves: tuple[TradeoffCurve, ...] = ()
    notes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Sentences on names that several plugins provide. They are printed, but the report does not have them, since it
    must not depend on the plugins that happen to be installed."""
    validation: bool = False
    """True to measure on validation queries, split off inside the training parts, instead of the test queries."""
    reader_digest: str | None = ""
    """Digest of the source of a reader without packaging, None if the source is unknown; "" for an installed reader."""
    observers: Mapping[str, Observer] = field(default_factory=dict)
    """The observers by their keys in the section `observe`."""
    tuning: Tuning | None = None
    """The search space of `hybridrec tune`, if the config has one."""
    executor: Plugin | None = None
    """The plugin (`ExecutorPlugin`) that starts the executor which the config names; the checker always sets it."""

    @property
    def refitted(self) -> bool:
        """True if the pipelines are trained on all data at the end, for serving."""
        return self.config.refit == "all" and not self.validation

    @property
    def measured(self) -> dict[str, PipelineSpec]:
        """Every pipeline that is evaluated, by name: the compared pipelines, and the points of trade-off curves."""
        return self.pipelines | {pipeline.name: pipeline for curve in self.curves for pipeline in curve.points}

    @property
    def metrics(self) -> list[str]:
        """The names in reports of all metrics.

        Metrics that `compare.metrics` lists come first, in its order. Then come metrics that only combined metrics,
        guardrails or Borda points mention.
        """
        compare, keys = self.config.compare, iter([metric_spec.key for metric_spec in self.metric_specs])
        listed = [
            entry if isinstance(entry, str) and entry in compare.combined else next(keys) for entry in compare.metrics
        ]
        return list(dict.fromkeys([*listed, *keys]))

    @property
    def lower_is_better(self) -> list[str]:
        """The names in reports of the metrics of which less is better."""
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
        content["components"] = {label: spec.plain for label, spec in self.components.items()}
        if self.executor is None or self.executor.name == THREADS:
            del content["executor"]
        else:
            content["executor"] = {"use": self.config.executor.use, **_plain(self.executor.config)}
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
        """Return `compare.metrics` for the resolved config: an entry that is a mapping gets all of its options."""
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
        """True if slates and learned weights are kept for later runs: the sources of all classes used are known."""
        pipelines = self.measured.values()
        rerankers = [spec for pipeline in pipelines for spec in pipeline.reranker_specs()]
        filters_kept = all(spec.kept for pipeline in pipelines for spec in pipeline.filters)
        return filters_kept and all(spec.kept for spec in (*self.components.values(), *rerankers))

    @property
    def hash(self) -> str:
        """Hex digest of the resolved config without the sections that do not change any result."""
        return json_digest({key: value for key, value in self.resolved.items() if key not in UNDECIDING}, 8)


def _plain(options: Options) -> dict[str, Any]:
    return options.model_dump(mode="json", by_alias=True, exclude_none=True)
