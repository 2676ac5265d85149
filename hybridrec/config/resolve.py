"""The check of a config: resolve the names in it to plugin classes, and check options and references."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hybridrec.config import yaml_document
from hybridrec.config.experiment import (
    CheckedExperiment,
    ComponentSpec,
    FilterSpec,
    OptionChoice,
    PipelineSpec,
    TradeoffCurve,
)
from hybridrec.config.metrics import metric_specs
from hybridrec.config.models import ComponentUse, ExperimentConfig, Lists, PipelineUse, Tradeoff, Use
from hybridrec.config.segments import segmenters
from hybridrec.config.validation import Validator
from hybridrec.config.yaml_document import KeyPath, YamlDocument
from hybridrec.data.fingerprint import json_digest
from hybridrec.data.splits.base import Splitter
from hybridrec.errors import (
    ConfigError,
    HybridrecError,
    MissingDependencyError,
    PluginError,
    did_you_mean,
    unknown_pipeline,
)
from hybridrec.observers.base import Observer
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.option_types import ComponentRef, PoolLabel, Reference, references, used_component
from hybridrec.stages.component import CPU, Generator, Reranker, Scorer
from hybridrec.stages.filter import Filter
from hybridrec.stages.item_filters import AllowFilter, BlockFilter, ListOptions, ReleasedFilter
from hybridrec.stages.query_filters import QUERY_FILTERS
from hybridrec.types import Target


@contextmanager
def _gathered(problems: list[str]) -> Iterator[None]:
    """Append the message of a ConfigError to `problems` instead of raising it.

    So the mistakes of several sections can be reported together. Errors of other classes are raised.
    """
    try:
        yield
    except ConfigError as error:
        if type(error) is not ConfigError:
            raise
        problems.append(str(error))


def _raise_problems(problems: Sequence[str]) -> None:
    """Raise the gathered messages as one ConfigError, a line for each; do nothing if there are none."""
    if problems:
        raise ConfigError("\n".join(dict.fromkeys(problems)))


WITHOUT_EXTRAS = "`hybridrec run plugin:core/configs/no-extras.yaml` needs no extra"
"""The end of a message about a library that is not installed."""


class Checker(Validator):
    """A checker of one document, which looks up in a registry the classes that the document names.

    Its methods raise ConfigError with the file, the line and the key path of the mistake.
    """

    def __init__(self, document: YamlDocument, registry: Registry, folder: Path) -> None:
        super().__init__(document, {"folder": folder, "registry": registry})
        self.registry = registry
        self.folder = folder
        self.notes: list[str] = []
        self.choices: list[str] = []
        self.device = CPU

    def experiment(self) -> CheckedExperiment:
        """Check the whole document; raises ConfigError with all mistakes that can be found at once."""
        content = dict(self.document.content)
        # A component whose label is its name does not need `use`.
        if isinstance(content.get("components"), dict):
            content["components"] = {
                label: {"use": label, **(use or {})} if use is None or isinstance(use, dict) else use
                for label, use in content["components"].items()
            }
        config = self.validate(ExperimentConfig, content, ())
        self.device = config.device or CPU
        problems: list[str] = []
        components, observers = {}, {}
        with _gathered(problems):
            reader = self.plugin("readers", config.data.reader, config.data.options, ("data",), "reader")
        with _gathered(problems):
            splitter = self.plugin("splitters", config.split.use, config.split.options, ("split",), "use")
        for label, use in config.components.items():
            with _gathered(problems):
                spec = self.component(label, use, ("components", label))
                components[label] = self.with_choice(spec, use, ("components", label))
        with _gathered(problems):
            metrics = metric_specs(self, config)
        with _gathered(problems):
            by_segmenter = segmenters(self, config.compare)
        with _gathered(problems):
            executor = self.executor(config.executor, ("executor",))
        for name, options in config.observe.items():
            with _gathered(problems):
                observers[name] = self.observer(name, options or {}, ("observe", name))
        _raise_problems(problems)
        with _gathered(problems):  # the first alone: a circle is a mistake of each component in it
            for label, spec in components.items():
                components[label] = self.with_base_model(spec, components)
        pipelines, curves = {}, []
        for name, pipeline in config.pipelines.items():
            with _gathered(problems):
                self.add_fallbacks(components, name, pipeline)
                pipelines[name] = self.pipeline(name, pipeline, config, components)
        _raise_problems(problems)
        for index, tradeoff in enumerate(config.tradeoffs):
            with _gathered(problems):
                curves.append(self.curve(index, tradeoff, config, components))
        _raise_problems(problems)
        if config.compare.singles:
            pipelines.update(self.singles(config, components, pipelines))
        self.refuse_unanswerable(splitter, pipelines)
        return CheckedExperiment(
            config=config,
            reader=reader,
            splitter=splitter,
            components=components,
            pipelines=pipelines,
            metric_specs=metrics,
            segmenters=by_segmenter,
            curves=tuple(curves),
            notes=tuple(self.notes),
            choices=tuple(self.choices),
            reader_digest=self.registry.source_of(type(reader)),
            observers=observers,
            executor=executor,
        )

    def refuse_unanswerable(self, splitter: Splitter, pipelines: Mapping[str, PipelineSpec]) -> None:
        """Raise ConfigError if a pipeline excludes all items of the history, although the split asks for such items."""
        if not splitter.asks_for_seen:
            return
        for name, pipeline in pipelines.items():
            if any(spec.excludes_seen for spec in pipeline.filters):
                path = ("pipelines", name) if name in self.document.content.get("pipelines", {}) else ("split", "seen")
                raise self.fail(
                    path,
                    f"the split asks for items that users had before (`seen: allow`), which '{name}' excludes; write "
                    "`seen: allow` in the pipeline, too",
                )

    def plugin(self, kind: str, name: str, options: dict[str, Any], path: KeyPath, key: str) -> Any:
        """Find a plugin class by its kind and name, and make an instance with validated options.

        `key` is the key below `path` at which the name stands, for messages.
        """
        cls = self.find(kind, name, (*path, key))
        return cls(self.validate(cls.Config, options, path))

    def executor(self, use: Use, path: KeyPath) -> Plugin:
        """Find the class of an executor, and make an instance with validated options; it starts nothing yet.

        Raises MissingDependencyError if an optional library that it needs is not installed.
        """
        place = path if isinstance(self.document.content.get("executor"), str) else (*path, "use")
        cls = self.find("executors", use.use, place)
        if problem := missing_library(cls, f"'{cls.name}'"):
            raise MissingDependencyError(f"{self.document.where(place)}: {problem}")
        made: Plugin = cls(self.validate(cls.Config, use.options, path))
        return made

    def observer(self, name: str, options: dict[str, Any], path: KeyPath) -> Observer:
        """Find the class of an observer by its key in `observe`, and make an instance with validated options."""
        cls = self.find("observers", name, path)
        made: Observer = cls(self.validate(cls.Config, options, path))
        return made

    def find(self, kind: str, name: str, path: KeyPath) -> Any:
        """Look up a class in the registry by kind and name; an error of the registry gets the place in the file."""
        try:
            cls = self.registry.get(kind, name)
        except HybridrecError as error:
            raise type(error)(f"{self.document.where(path)}: {error}") from error.__cause__
        if (choice := self.registry.choice(kind, name)) is not None and choice not in self.choices:
            self.choices.append(choice)
        return cls

    def component(self, label: str, use: Use, path: KeyPath) -> ComponentSpec:
        """Make the spec of a component, with validated options.

        Raises MissingDependencyError if an optional library that it needs is not installed.
        """
        cls = self.find("components", use.use, (*path, "use"))
        given = dict(use.options)
        for option, values in (use.choose or {}).items() if isinstance(use, ComponentUse) else ():
            field = cls.Config.model_fields.get(option)
            if field is not None and field.is_required() and values:
                given.setdefault(option, values[0])
        options = self.validate(cls.Config, given, path)
        spec = ComponentSpec.of(label, use.use if "/" in use.use else "", cls, options, self.registry)
        spec = replace(spec, device=self.device)
        self.require(spec, path)
        if not spec.keeps:
            self.note_without_source(spec.cls)
        return spec

    def with_choice(self, spec: ComponentSpec, use: ComponentUse, path: KeyPath) -> ComponentSpec:
        """Return the spec with the values under `choose`, if there are any; each value is validated.

        Raises ConfigError for a component that is not a generator, for an option that also has a value beside `choose`,
        for a value that is not valid, and for two equal values.
        """
        if use.choose is None:
            return spec
        ((option, values),) = use.choose.items()
        place = (*path, "choose", option)
        if not issubclass(spec.cls, Generator):
            raise self.fail(place, f"'{spec.cls.name}' generates no candidates by which values could be compared")
        if option in use.options:
            raise self.fail(place, f"'{option}' has a value beside `choose`, too: leave one of them out")
        options = []
        for index, value in enumerate(values):
            try:
                options.append(self.validate(spec.cls.Config, {**use.options, option: value}, path))
            except ConfigError as error:
                reason = str(error).partition(": ")[2].partition(": ")[2] or str(error)
                raise self.fail((*place, index), reason) from None
        named = {reference.label for reference in map(used_component, options) if reference is not None}
        if len(named) > 1 or isinstance(getattr(options[0], option, None), Plugin):
            raise self.fail(place, f"'{option}' names another part of the config, which cannot be chosen")
        choice = OptionChoice(option, tuple(options))
        if len({json_digest(value) for value in choice.values}) < len(values):
            raise self.fail(place, "two of these values are equal")
        return replace(spec, choice=choice)

    def with_base_model(
        self, spec: ComponentSpec, components: dict[str, ComponentSpec], users: tuple[str, ...] = ()
    ) -> ComponentSpec:
        """Return the spec with the base model that its options name, and this base model with its own, and so on.

        `users` are the labels of the components that use this component, directly or not. Raises ConfigError if
        components use one another in a circle, or if a component with a base model validates on queries that the base
        model has seen."""
        path: KeyPath = ("components", spec.label)
        reference = self.reference(spec, components, path)
        if reference is None:
            return spec
        users = (*users, spec.label)
        if reference.label in users:
            circle = " uses ".join(f"'{label}'" for label in (*users[users.index(reference.label) :], reference.label))
            raise self.fail((*path, *reference.path), f"a component cannot stand on itself: {circle}")
        spec = replace(spec, base_model=self.with_base_model(components[reference.label], components, users))
        if any(variant.create().validates for variant in spec.variants):
            message = f"'{spec.cls.name}' validates what it learns, and '{reference.label}' would have seen the answers"
            raise self.fail((*path, *reference.path), message)
        return spec

    def reference(self, spec: ComponentSpec, components: dict[str, ComponentSpec], path: KeyPath) -> Reference | None:
        """Return the reference to another component in a component's options; None if the options have no reference.

        Raises ConfigError if the other component does not exist or is not of the class that the option requires.
        """
        try:
            reference = used_component(spec.options)
        except PluginError as error:
            raise self.fail(path, str(error)) from None
        if reference is not None and isinstance(reference.marker, ComponentRef):
            marker = reference.marker
            self.role(components, reference.label, marker.role, marker.word, (*path, *reference.path))
        return reference

    def require(self, spec: ComponentSpec, path: KeyPath) -> None:
        """Raise MissingDependencyError if an optional library of the component is not installed."""
        for dependent in spec.needing:
            subject = f"'{spec.cls.name}'" if dependent is spec.cls else f"the tokenizer of '{spec.cls.name}'"
            if problem := missing_library(dependent, subject):
                raise MissingDependencyError(f"{self.document.where(path)}: {problem}; {WITHOUT_EXTRAS}")

    def add_fallbacks(self, components: dict[str, ComponentSpec], name: str, pipeline: PipelineUse) -> None:
        """Add to `components` each fallback of a pipeline that is the name of a component instead of a label.

        Such a component has its default options. Raises ConfigError for a name that no component has.
        """
        for index, label in enumerate(pipeline.fallback):
            if label not in components:
                path: KeyPath = ("pipelines", name, "fallback", index)
                if label not in self.registry.names("components"):
                    offered = self.registry.classes("components")
                    choices = {*components, *(cls.name for cls in offered if issubclass(cls, Generator))}
                    raise self.fail(
                        path, f"no component is labelled or named '{label}': {did_you_mean(label, choices)}"
                    )
                components[label] = self.component(label, Use(use=label), path)

    def pipeline(
        self, name: str, use: PipelineUse, config: ExperimentConfig, components: dict[str, ComponentSpec]
    ) -> PipelineSpec:
        """Check a pipeline and resolve its re-rankers and filters.

        Raises ConfigError unless its labels exist and suit their stages, and some generator recommends each target.
        """
        path: KeyPath = ("pipelines", name)
        for index, generator in enumerate(use.generators):
            place = (*path, "generators", index, "from")
            self.role(components, generator.source, Generator, "generator", place)
        for index, label in enumerate(use.scorers):
            self.role(components, label, Scorer, "scorer", (*path, "scorers", index))
        for index, label in enumerate(use.fallback):
            self.role(components, label, Generator, "generator", (*path, "fallback", index))
        sources = [generator.source for generator in use.generators]
        for index, label in enumerate(sources):
            if label in sources[:index]:
                raise self.fail((*path, "generators", index, "from"), f"'{label}' already generates here")
        for target in config.targets:
            if not any(components[label].create().recommends(target) for label in [*sources, *use.fallback]):
                raise self.fail(path, f"none of its generators recommends the target '{target}'")
        for key in ("allow", "block"):
            self.list_file(getattr(use, key), (*path, key, "path"))
        if "fallback" not in use.model_fields_set:
            self.notes.append(_without_fallback(name, components.values()))
        spec = PipelineSpec(name, use, self.rerankers(use, config, path), filters=self.filters(use, config, path))
        self.opinions(spec, components, path)
        return spec

    def filters(self, use: PipelineUse, config: ExperimentConfig, path: KeyPath) -> tuple[FilterSpec, ...]:
        """Return the filters of a pipeline, in three groups.

        The default filters come first. Then come the filters that the whole config and the pipeline list under
        `filters`, and last the filters that the keys `released`, `allow` and `block` of the pipeline stand for.
        """
        uses: list[tuple[Use, KeyPath]] = [(item, ("filters", index)) for index, item in enumerate(config.filters)]
        uses += [(item, (*path, "filters", index)) for index, item in enumerate(use.filters)]
        made: list[tuple[Filter, KeyPath]] = [
            (self.plugin("filters", item.use, item.options, place, "use"), place) for item, place in uses
        ]
        implied = list(self.implied_filters(use, made, path))
        if use.released:
            made.append((ReleasedFilter(), (*path, "released")))
        if use.allow is not None:
            made.append((AllowFilter(ListOptions(ids=use.allow.ids, path=use.allow.path)), (*path, "allow")))
        if use.block is not None:
            made.append((BlockFilter(ListOptions(ids=use.block.ids, path=use.block.path)), (*path, "block")))
        return (*implied, *(self.filter(each, place) for each, place in made))

    def filter(self, made: Filter, place: KeyPath) -> FilterSpec:
        """Make the spec of a filter at its place in the config."""
        cls = type(made)
        kept = self.registry.has_source(cls)
        if not kept:
            self.note_without_source(cls)
        return FilterSpec(yaml_document.dotted(place), made, digests=self.registry.digests_of([cls]), kept=kept)

    def note_without_source(self, cls: type[Plugin]) -> None:
        """Add the note that the results of a class without source are not kept for other runs, unless it was added."""
        note = f"nothing that '{cls.name}' makes is kept for other runs: its class has no source to know it by"
        self.notes += [note] if note not in self.notes else []

    def implied_filters(
        self, use: PipelineUse, listed: Sequence[tuple[Filter, KeyPath]], path: KeyPath
    ) -> Iterator[FilterSpec]:
        """Yield the filters that a pipeline has by default, `seen` and `disliked`.

        A default filter is left out if the pipeline says `allow` for it, or if `listed` has a filter of the same class.
        Raises ConfigError if both are true.
        """
        for cls in QUERY_FILTERS:
            places = [place for each, place in listed if isinstance(each, cls)]
            key, allowed = yaml_document.dotted((*path, cls.name)), getattr(use, cls.name) == "allow"
            if places and allowed:
                raise self.fail((*places[0], "use"), f"'{key}: allow' says the opposite; leave one of them out")
            if not places and not allowed:
                yield FilterSpec(key, cls(), implied=True)

    def list_file(self, lists: Lists | None, path: KeyPath) -> None:
        """Raise ConfigError if `allow` or `block` names a file of ids that does not exist."""
        if lists is not None and lists.path is not None and not lists.path.is_file():
            raise self.fail(path, f"no such file: {lists.path}")

    def role(self, components: dict[str, ComponentSpec], label: str, role: type, word: str, path: KeyPath) -> None:
        """Raise ConfigError unless the label exists and its component is of the class `role`.

        `word` is the name of the role in messages, such as "generator".
        """
        spec = components.get(label)
        if spec is not None and issubclass(spec.cls, role):
            return
        fitting = [
            other
            for other, each in components.items()
            if issubclass(each.cls, role) and path[:2] != ("components", other)  # none can use itself
        ]
        if spec is None:
            raise self.fail(path, f"no component is labelled '{label}': {did_you_mean(label, fitting)}")
        is_plural, article = word.endswith("s"), "an" if word[0] in "aeiou" else "a"
        singular, plural = (word, word) if is_plural else (f"{article} {word}", f"{word}s")
        message = f"'{label}' ({spec.cls.name}) is not {singular}; {plural} here: {', '.join(fitting) or 'none'}"
        raise self.fail(path, message)

    def rerankers(
        self, use: PipelineUse, config: ExperimentConfig, path: KeyPath
    ) -> dict[Target, tuple[ComponentSpec, ...]]:
        """Make the chain of re-rankers of a pipeline for each target, in order."""
        by_target = use.rerank if isinstance(use.rerank, dict) else dict.fromkeys(config.targets, use.rerank)
        for target in by_target:
            if target not in config.targets:
                raise self.fail((*path, "rerank", target), f"'{target}' is not among the targets of this experiment")
        chains: dict[Target, tuple[ComponentSpec, ...]] = {}
        for target in config.targets:
            start: KeyPath = (*path, "rerank", target) if isinstance(use.rerank, dict) else (*path, "rerank")
            chains[target] = tuple(
                self.reranker(index, item, (*start, index)) for index, item in enumerate(by_target.get(target, []))
            )
        return chains

    def reranker(self, index: int, use: Use, path: KeyPath) -> ComponentSpec:
        """Make the spec of the re-ranker at `index` of a chain; the first one has the label `NAME-1`."""
        spec = self.component(f"{use.use.rpartition('/')[2]}-{index + 1}", use, path)
        if not issubclass(spec.cls, Reranker):
            raise self.fail((*path, "use"), f"'{use.use}' is not a re-ranker")
        return spec

    def opinions(self, pipeline: PipelineSpec, components: dict[str, ComponentSpec], path: KeyPath) -> None:
        """Check that the re-rankers of a pipeline suit its pool.

        Raises ConfigError if several columns of scores are not fused first, if an option names a column that the pool
        does not have, or if a re-ranker that draws slates is not the last.
        """
        columns = list(dict.fromkeys([g.source for g in pipeline.use.generators] + pipeline.use.scorers))
        for target, chain in pipeline.rerankers.items():
            place: KeyPath = (*path, "rerank", *([target] if isinstance(pipeline.use.rerank, dict) else []))
            serving = [label for label in columns if components[label].create().recommends(target)]
            if len(serving) > 1:
                self.fusion(chain, f"{', '.join(serving)} give scores for {target}", path, place)
            for index, spec in enumerate(chain):
                at = (*place, index)
                if index + 1 < len(chain) and spec.create().stochastic:
                    message = f"'{spec.cls.name}' draws the slate, so it must be the last: move it behind the others"
                    raise self.fail((*at, "use"), message)
                self.pool_labels(spec, pipeline.use, components, at)
                self.uses(spec, components, target, at)

    def fusion(self, chain: Sequence[ComponentSpec], several: str, path: KeyPath, place: KeyPath) -> None:
        """Raise ConfigError unless the first re-ranker of a chain fuses the columns of the pool.

        `several` describes these columns for the message. The chain is at the key path `place`; a pipeline without
        re-rankers is reported at the key path `path`.
        """
        if not chain:
            message = f"{several}: say under `rerank` how they are fused, for example [{{use: {self.a_fusion()}}}]"
            raise self.fail(path, message)
        first = chain[0].cls
        if issubclass(first, Reranker) and first.fuses is False:
            message = f"'{first.name}' reorders what is fused, and {several}: put a fusion before it"
            raise self.fail((*place, 0, "use"), f"{message}, for example {{use: {self.a_fusion()}}}")

    def a_fusion(self) -> str:
        """Return the name of an installed fusion for messages, or "NAME" if none is installed."""
        return next((cls.name for cls in self.registry.classes("components") if getattr(cls, "fuses", None)), "NAME")

    def pool_labels(
        self, spec: ComponentSpec, use: PipelineUse, components: dict[str, ComponentSpec], path: KeyPath
    ) -> None:
        """Raise ConfigError if an option names a column or generator that the pool does not have.

        Some scorers name their columns only when they are fitted; these columns are checked later, by the pool."""
        generators = [generator.source for generator in use.generators]
        several = {label: getattr(components[label].create(), "columns", ()) for label in use.scorers}
        columns = [label for label in dict.fromkeys((*generators, *use.scorers)) if not several.get(label)]
        columns += [f"{label}.{name}" for label, names in several.items() for name in names]
        names = {True: set(generators), False: set(columns)}
        for reference in references(spec.options):
            if isinstance(reference.marker, PoolLabel):
                only = reference.marker.generators_only
                word, choices = ("generator", generators) if only else ("generator or scorer", columns)
                named = reference.label in names[only] or (
                    any(sign in reference.label for sign in "*?[")
                    and any(fnmatchcase(choice, reference.label) for choice in choices)
                )
                base, dot, _ = reference.label.partition(".")
                later = dot and not only and base in several and not several[base]
                if not named and not later:
                    message = f"no {word} here is '{reference.label}': {did_you_mean(reference.label, choices)}"
                    raise self.fail((*path, *reference.path), message)

    def uses(self, spec: ComponentSpec, components: dict[str, ComponentSpec], target: Target, path: KeyPath) -> None:
        """Raise ConfigError if a re-ranker uses a component that has no vectors for the target.

        A re-ranker that learns may not use any component, since the component has seen the validation queries.
        """
        reference = self.reference(spec, components, path)
        if reference is None:
            return
        place = (*path, *reference.path)
        if not components[reference.label].create().recommends(target):
            raise self.fail(place, f"'{reference.label}' has no vectors for the target '{target}'")
        if spec.create().learns:  # type: ignore[attr-defined]
            raise self.fail(place, f"'{spec.cls.name}' learns, and what it would use has seen the answers")

    def singles(
        self, config: ExperimentConfig, components: dict[str, ComponentSpec], pipelines: dict[str, PipelineSpec]
    ) -> Iterator[tuple[str, PipelineSpec]]:
        """Yield (label, pipeline) for each generator of the config: a pipeline of that component alone.

        Each of these pipelines has the fallback and the filters of the first pipeline of the config. Raises ConfigError
        if a pipeline of the config has the label of a component.
        """
        first = next(iter(config.pipelines.values()))
        depth = max([g.k for use in config.pipelines.values() for g in use.generators] + list(config.targets.values()))
        for label in config.components:
            if not issubclass(components[label].cls, Generator):
                self.notes.append(f"'{label}' generates no candidates and is not a reference arm of its own")
                continue
            if label in pipelines:
                raise self.fail(("pipelines", label), "with `singles: true` no pipeline may have a component's label")
            alone = PipelineUse.model_validate(
                {"generators": [{"from": label, "k": depth}]}
                | {
                    key: getattr(first, key)
                    for key in ("fallback", "seen", "disliked", "released", "allow", "block", "filters")
                }
            )
            filters = next(iter(pipelines.values())).filters
            yield label, PipelineSpec(label, alone, dict.fromkeys(config.targets, ()), single=True, filters=filters)

    def curve(
        self, index: int, use: Tradeoff, config: ExperimentConfig, components: dict[str, ComponentSpec]
    ) -> TradeoffCurve:
        """Make the pipelines of a trade-off, one for each value of the option.

        Raises ConfigError unless its pipeline and option exist and every value is valid.
        """
        path: KeyPath = ("tradeoffs", index)
        varies: KeyPath = ("pipelines", use.pipeline)
        if use.pipeline not in config.pipelines:
            raise self.fail((*path, "pipeline"), unknown_pipeline(use.pipeline, config.pipelines))
        points = []
        for place, value in enumerate(use.over):
            content = config.pipelines[use.pipeline].model_dump(by_alias=True)
            yaml_document.assign(content, use.vary, value, self.document.where((*path, "vary")))
            try:
                varied = self.validate(PipelineUse, content, varies)
                name = f"{use.pipeline} {use.vary}={value:g}"
                filters = self.filters(varied, config, varies)
                points.append(PipelineSpec(name, varied, self.rerankers(varied, config, varies), filters=filters))
                self.opinions(points[-1], components, varies)
            except ConfigError as error:
                raise self.fail((*path, "over", place), f"with {use.vary} = {value:g}, {error}") from None
        return TradeoffCurve(use, tuple(points))


def _without_fallback(pipeline: str, components: Iterable[ComponentSpec]) -> str:
    """Return the note on a pipeline whose config has no `fallback`; it proposes a value for this key.

    The proposed value names only components of the config: the notes of a report must not depend on the plugins that
    are installed.
    """
    for_all = [spec.label for spec in components if issubclass(spec.cls, Generator) and not spec.create().needs]
    label, hint = (for_all[0], "") if for_all else ("NAME", " (`hybridrec show NAME` says if it serves every query)")
    return (
        f"pipelines.{pipeline} has no `fallback`: queries that no generator serves get an empty slate, and a slate "
        f"that stays short stays short; to serve all write `fallback: [{label}]`{hint}, and `fallback: []` if this is "
        "meant"
    )


def missing_library(cls: Any, subject: str) -> str:
    """Return a message on the first library of `cls.requires` that is not installed; "" if all of them are.

    subject: the name for the message of what needs the library
    """
    for module in cls.requires:
        if not is_importable(module):
            hint = cls.install_hint or f"pip install {module}"
            return f"{subject} needs the library '{module}', which is not installed: {hint}"
    return ""


def is_importable(module: str) -> bool:
    """Return True if a module is installed, given its full name; only the packages above it are imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package above a submodule is missing
        return False
