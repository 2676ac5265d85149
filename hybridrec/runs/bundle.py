"""The bundle of a run: one file with everything that is needed to answer queries, and nothing else.

A bundle is an array file (`inference.array_file`). It begins with a line of JSON, which names the pipelines, components
and plugins; then come the arrays of the data, of the fitted components and of the re-rankers. Large arrays are mapped
into memory when it is read. A bundle contains no code, nothing is unpickled, and only the plugins that it names are
loaded.
"""

from __future__ import annotations

import glob
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from hybridrec import __version__
from hybridrec.data.consistency import check_consistency
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import json_digest
from hybridrec.data.segments.base import Segmenter
from hybridrec.data.segments.known_fields import KnownFields
from hybridrec.errors import ConfigError, DataError, PluginError, StoreError, WriteError
from hybridrec.inference.array_file import MALFORMED, manifest_of, read_whole, write_artifact
from hybridrec.inference.servable import PluginSource, ServableRun, without_users
from hybridrec.paths import KindName, partial_path, printable, publish, remove, sweep, sync, writing
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.registry.hookspecs import PROJECT
from hybridrec.registry.option_types import used_component
from hybridrec.runs.manifest import checked_file, has_file, not_a_run, run_folder
from hybridrec.stages.checks import check_self, check_state
from hybridrec.stages.component import Component, Generator, Reranker, Scorer
from hybridrec.stages.filter import Filter
from hybridrec.stages.pipeline import Filters, Pipeline, Source
from hybridrec.stages.query_filters import QUERY_FILTERS
from hybridrec.tracing import calling
from hybridrec.types import State, Target

if TYPE_CHECKING:
    from hybridrec.runs.run import Run

BUNDLE = "bundle.hybridrec"
"""The name of the bundle in the folder of a run."""
FORMAT = 4
_KEY = "bundle"
_BUILT_IN: dict[tuple[str, str], Any] = {("filters", f"{PROJECT}/{cls.name}"): cls for cls in QUERY_FILTERS}
"""Classes for which no plugin has to be loaded, by kind and name."""


class _Component(BaseModel, extra="forbid"):
    """The description of a component, a re-ranker or a filter in a bundle."""

    use: str
    version: str
    options: dict[str, Any]
    uses: str | None = None
    """The label of its base model; None without a base model."""
    origin: str = ""
    """The distribution that provides its class; "" if it is unknown."""

    @classmethod
    def of(cls, component: Component | Filter, servable: ServableRun, uses: str | None = None) -> _Component:
        options = component.config.model_dump(mode="json", by_alias=True)
        origin = PROJECT if type(component) in QUERY_FILTERS else servable.origins.get(type(component), "")
        return cls(use=component.name, version=component.version, options=options, uses=uses, origin=origin)

    @property
    def name(self) -> str:
        """The name by which the registry finds the class of the component, re-ranker or filter."""
        return f"{self.origin}/{self.use}" if self.origin else self.use


class _Generator(BaseModel, extra="forbid"):
    """A generator of a pipeline, named by its label, in a bundle."""

    label: str
    k: int
    when: tuple[str, ...]


class _Segmenter(BaseModel, extra="forbid"):
    """The segmenter of a bundle; its re-rankers may have learned something else for each segment."""

    use: str
    version: str
    options: dict[str, Any]

    @classmethod
    def of(cls, segmenter: Segmenter) -> _Segmenter:
        options = segmenter.config.model_dump(mode="json", by_alias=True)
        return cls(use=segmenter.name, version=segmenter.version, options=options)


class _Pipeline(BaseModel, extra="forbid"):
    """A pipeline of a bundle, with its components named by their labels."""

    generators: tuple[_Generator, ...]
    scorers: tuple[str, ...]
    rerankers: dict[KindName, tuple[_Component, ...]]
    fallback: tuple[str, ...]
    filters: tuple[_Component, ...]


class _Plugin(BaseModel, extra="forbid"):
    """A plugin that a bundle needs: it has to be installed, or be passed by the caller if it has a `file`."""

    name: str
    module: str
    distribution: str
    version: str
    file: str = ""
    digest: str = ""


class _Description(BaseModel, extra="forbid"):
    """The JSON at the beginning of a bundle."""

    bundle: int
    hybridrec: str
    name: str
    targets: dict[KindName, int]
    trained_on: str
    memory: int
    users: bool
    plugins: tuple[_Plugin, ...]
    components: dict[str, _Component]
    pipelines: dict[str, _Pipeline]
    default: str
    """The pipeline that answers requests that name no pipeline."""
    segmenter: _Segmenter | None = None
    """None for the default segmenter, which groups queries by the fields that they have."""


def write_bundle(path: Path, servable: ServableRun) -> None:
    """Write a bundle of the pipelines of a run to a new file."""
    state: State = _below("data", servable.data.state())
    for label, component in servable.components.items():
        state |= _below(f"component/{label}", _state_of(component))
    for name, pipeline in servable.pipelines.items():
        for index, each in enumerate(pipeline.filters):
            state |= _below(f"filter/{name}/{index}", _state_of(each))
        for target, chain in pipeline.rerankers.items():
            for index, reranker in enumerate(chain):
                state |= _below(f"reranker/{name}/{target}/{index}", _state_of(reranker))
    description = _Description(
        bundle=FORMAT,
        hybridrec=__version__,
        name=servable.name,
        targets=dict(servable.targets),
        trained_on=servable.trained_on,
        memory=servable.memory,
        users=servable.users,
        plugins=tuple(_Plugin(**asdict(source)) for source in servable.plugins),
        components={
            label: _Component.of(component, servable, servable.uses.get(label))
            for label, component in servable.components.items()
        },
        pipelines={name: _described(pipeline, servable) for name, pipeline in servable.pipelines.items()},
        default=servable.default,
        segmenter=None if isinstance(servable.segmenter, KnownFields) else _Segmenter.of(servable.segmenter),
    )
    write_artifact(path, _KEY, state, description.model_dump(mode="json"))


def read_bundle(
    path: Path,
    registry: Registry | None = None,
    *,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
) -> ServableRun:
    """Read a bundle and restore its pipelines.

    registry: the registry for its plugins; by default one that loads only the plugins that the bundle names
    block: names of plugins that are not loaded
    plugins: the plugins without packaging that the bundle needs

    Raises DataError if the file does not exist. Raises StoreError if it is damaged or not a bundle, or if the installed
    version of a component does not read its state. Raises PluginError if a plugin is not installed or cannot be loaded.
    """
    description, state, digest = _read(path)
    sources = tuple(PluginSource(**plugin.model_dump()) for plugin in description.plugins)
    if registry is None:
        registry = Registry(only={source.module for source in sources}, block=block, plugins=plugins)
        _check_plugins(path, sources, registry)
    _check_loose_plugins(path, sources, registry)
    reader = _Reader(path, state, sources, registry)
    try:
        data = Dataset.restore(reader.below("data"), mapped=True)
        check_consistency(data)
        components = reader.components(description.components)
        pipelines = {
            name: reader.pipeline(name, entry, components, data) for name, entry in description.pipelines.items()
        }
    except MALFORMED as error:
        if getattr(error, "__notes__", None):  # raised by a plugin, which the notes name
            raise
        raise StoreError(f"{path} cannot be read: {type(error).__name__}: {printable(str(error))}") from None
    return ServableRun(
        name=description.name,
        targets=description.targets,
        pipelines=pipelines,
        default=description.default,
        components=components,
        uses={label: entry.uses for label, entry in description.components.items() if entry.uses is not None},
        data=data,
        trained_on=description.trained_on,
        plugins=sources,
        memory=description.memory,
        users=description.users,
        segmenter=KnownFields() if description.segmenter is None else reader.segmenter(description.segmenter),
        origins=reader.origins,
        digest=digest,
    )


def bundle_of(folder: Path) -> Path:
    """Return the path of the bundle in the folder of a run, verified by its checksum.

    Raises DataError if the run was only evaluated.
    """
    if not has_file(folder, BUNDLE):
        raise DataError(f"{folder} was only evaluated: set `refit: all` in its config and run it again to serve it")
    return checked_file(folder, BUNDLE)


def bundle_path(run_or_bundle: Run | Path | str) -> Path:
    """Return the path of a bundle, given a run, the folder of a run or the report in it, or the bundle itself.

    Raises the errors of `bundle_of`, and DataError for a path that does not exist.
    """
    if not isinstance(run_or_bundle, (Path, str)):
        return bundle_of(run_or_bundle.folder)
    path = run_folder(Path(run_or_bundle))
    if path.is_dir():
        return bundle_of(path)
    if not path.exists():
        raise not_a_run(path)
    return path


def bundle_digest(path: Path) -> str:
    """Return the digest of a bundle's content, 32 hex digits; bundles with the same digest answer alike."""
    return json_digest(manifest_of(path))


def copy_bundle(run_or_bundle: Run | Path | str, to: Path, *, users: bool = True) -> Path:
    """Copy a bundle with or without its users, and return the path of the copy; no plugin is loaded.

    Without users, their ids, histories, titles and features are left out, but components keep what they learned from
    the users. Raises WriteError if the copy cannot be written, and DataError if `users` is True for a bundle that holds
    no users.
    """
    path = bundle_path(run_or_bundle)
    description, state, _ = _read(path)
    if users and not description.users:
        raise DataError(f"{path} holds no users, so a copy cannot have them")
    if to.is_dir():
        raise WriteError(f"{to} is a folder; name a file for the bundle")
    sweep(to.parent, f".{glob.escape(to.name)}.*")
    partial = partial_path(to)
    try:
        with writing(to):
            if users or not description.users:
                shutil.copyfile(path, partial)
            else:
                data = without_users(Dataset.restore(_part(state, "data")))
                kept = {name: array for name, array in state.items() if not name.startswith("data/")}
                bare = description.model_copy(update={"users": False})
                write_artifact(partial, _KEY, _below("data", data.state()) | kept, bare.model_dump(mode="json"))
            sync(partial)
            publish(partial, to)
    except BaseException:
        remove(partial)
        raise
    return to


def _read(path: Path) -> tuple[_Description, State, str]:
    """Read the description, the arrays and the digest of one bundle, also if another one takes its place meanwhile.

    Raises DataError if the file does not exist, and StoreError if it is damaged or is not a bundle in the format that
    this version reads.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; `hybridrec bundle RUN` writes one")
    try:
        content, state = read_whole(path)
        about = content["about"]
        if "bundle" not in about:
            raise StoreError(f"{path} is not a bundle; `hybridrec bundle RUN` writes one")
        if about["bundle"] != FORMAT:
            raise StoreError(
                f"{path}: a bundle of format {about['bundle']}, written by hybridrec {about.get('hybridrec')}; this "
                f"version reads format {FORMAT}: install that version, or write the bundle again"
            )
        return _Description.model_validate(about), state, json_digest(content)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from None
    except (KeyError, TypeError, ValidationError) as error:
        raise StoreError(f"{path} cannot be read: its description is not that of a bundle ({error})") from None


def _check_plugins(path: Path, sources: tuple[PluginSource, ...], registry: Registry) -> None:
    """Raise PluginError, with a hint, if an installed plugin that a bundle needs is missing, blocked or broken."""
    installed = {provider.module: provider for provider in registry.providers}
    for source in sources:
        if source.file:
            continue
        provider = installed.get(source.module)
        if provider is not None and provider.blocked:
            raise PluginError(f"{path} needs {provider}, which is blocked")
        if provider is None:
            raise PluginError(
                f"{path} needs the plugin '{source.name}' of {source.distribution} {source.version}, which is not "
                f"installed: {source.install_hint}"
            )
        if provider.error is not None:
            raise PluginError(
                f"{path} needs {provider}, which could not be loaded: {type(provider.error).__name__}: {provider.error}"
            ) from provider.error


def _check_loose_plugins(path: Path, sources: tuple[PluginSource, ...], registry: Registry) -> None:
    """Raise PluginError if a plugin without packaging that a bundle needs was not passed by the caller.

    The error is also raised if the plugin has changed since the bundle was written.
    """
    handed = {provider.name: provider for provider in registry.providers if provider.file}
    for source in sources:
        if not source.file:
            continue
        provider = handed.get(source.name)
        if provider is None:
            raise PluginError(f"{path} needs the {source}: {source.install_hint}")
        if source.digest != provider.digest:
            raise PluginError(
                f"{path} was made with the {source} of digest {source.digest or 'unknown'}, and the one that was "
                f"handed over, {provider.file}, has {provider.digest or 'none, as its source is not there'}: what was "
                f"learned may mean something else to it; {source.install_hint}, or run the experiment again"
            )


class _Reader:
    """A reader of a bundle, which makes its components and pipelines from their descriptions and arrays."""

    def __init__(self, path: Path, state: State, sources: tuple[PluginSource, ...], registry: Registry) -> None:
        self.path = path
        self.state = state
        self.sources = sources
        self.registry = registry
        self.origins: dict[type[Plugin], str] = {}

    def below(self, place: str) -> State:
        """Return the arrays of the bundle whose names begin with `place/`, by the rest of their names."""
        return _part(self.state, place)

    def components(self, entries: Mapping[str, _Component]) -> dict[str, Component]:
        """Restore all components, by label; base models are made before the components that use them.

        Raises StoreError if a base model is missing.
        """
        made: dict[str, Component] = {}
        waiting = dict(entries)
        while waiting:
            ready = [label for label, entry in waiting.items() if entry.uses is None or entry.uses in made]
            if not ready:
                raise StoreError(f"{self.path} cannot be read: what {', '.join(waiting)} use is not in it")
            for label in ready:
                place, entry = f"components.{label}", waiting.pop(label)
                component = self.component(place, entry)
                made[label] = self.restored(component, place, f"component/{label}", made.get(entry.uses or ""))
        return {label: made[label] for label in entries}

    def pipeline(self, name: str, entry: _Pipeline, components: Mapping[str, Component], data: Dataset) -> Pipeline:
        """Restore a pipeline with its re-rankers and filters; its other stages are the restored `components`."""
        rerankers: dict[Target, tuple[Reranker, ...]] = {}
        for target, chain in entry.rerankers.items():
            made = []
            for index, item in enumerate(chain):
                place, key = f"pipelines.{name}.rerank.{index}", f"reranker/{name}/{target}/{index}"
                if item.uses is not None and item.uses not in components:
                    raise StoreError(f"{self.path} cannot be read: '{item.uses}', which {place} uses, is not in it")
                base_model = None if item.uses is None else components[item.uses]
                made.append(cast(Reranker, self.restored(self.component(place, item), place, key, base_model)))
            rerankers[target] = tuple(made)
        return Pipeline(
            name=name,
            sources=tuple(
                Source(generator.label, cast(Generator, components[generator.label]), generator.k, generator.when)
                for generator in entry.generators
            ),
            scorers=tuple((label, cast(Scorer, components[label])) for label in entry.scorers),
            rerankers=rerankers,
            fallback=tuple((label, cast(Generator, components[label])) for label in entry.fallback),
            filters=Filters(self.filter(name, index, item) for index, item in enumerate(entry.filters)),
        )

    def filter(self, pipeline: str, index: int, entry: _Component) -> Filter:
        """Restore the filter with the number `index`, from 0, of a pipeline."""
        place, key = f"pipelines.{pipeline}.filters.{index}", f"filter/{pipeline}/{index}"
        return cast(Filter, self.restored(self.component(place, entry, "filters"), place, key))

    def component(self, place: str, entry: _Component, kind: str = "components") -> Component:
        """Make an instance of a component, re-ranker or filter with the options in the bundle, without its state.

        Raises PluginError if no plugin has its class, and StoreError if the installed version does not read the state
        or the options.
        """
        try:
            cls = _BUILT_IN.get((kind, entry.name)) or self.registry.get(kind, entry.name)
        except ConfigError as error:
            raise PluginError(f"{self.path}, {place}: {error}{self.way_out()}") from None
        self.origins[cls] = entry.origin
        readable = {cls.version, *getattr(cls, "reads_versions", ())}
        if entry.version not in readable:
            raise StoreError(
                f"{self.path}: {place} was written by {cls.name} {entry.version}; the installed version "
                f"{cls.version} reads {', '.join(sorted(readable))}{self.way_out(cls)}, or run the experiment again"
            )
        try:
            return cls(cls.Config.model_validate(entry.options, context={"registry": self.registry}))
        except ValidationError as error:
            raise StoreError(
                f"{self.path}: the installed {cls.name} does not take the options of {place} "
                f"({error}){self.way_out(cls)}"
            ) from None

    def segmenter(self, entry: _Segmenter) -> Segmenter:
        """Make the segmenter with the options in the bundle.

        Raises StoreError if the installed version of its class is not the version that named the segments.
        """
        try:
            cls = self.registry.get("segmenters", entry.use)
        except ConfigError as error:
            raise PluginError(f"{self.path}, segmenter: {error}{self.way_out()}") from None
        if entry.version != cls.version:
            raise StoreError(
                f"{self.path}: its segments were named by {cls.name} {entry.version}, and the installed version is "
                f"{cls.version}{self.way_out(cls)}, or run the experiment again"
            )
        try:
            return cast(Segmenter, cls(cls.Config.model_validate(entry.options, context={"registry": self.registry})))
        except ValidationError as error:
            raise StoreError(
                f"{self.path}: the installed {cls.name} does not take the options of the segmenter "
                f"({error}){self.way_out(cls)}"
            ) from None

    def restored(self, component: Component, place: str, key: str, base_model: Component | None = None) -> Component:
        """Give a component its base model and its state from the bundle, and return it."""
        with calling(component, f"while restoring {place} of {self.path}"):
            if base_model is not None:
                check_self(component, "use", component.use(base_model))
            return check_self(component, "restore", component.restore(self.below(key)))

    def way_out(self, cls: type[Plugin] | None = None) -> str:
        """Return the end of an error message: how to install the versions of plugins that wrote the bundle.

        With `cls`, only the plugin of that class is named.
        """
        provider = None if cls is None else self.registry.provider_of(cls)
        modules = {source.module for source in self.sources} if provider is None else {provider.module}
        hints = dict.fromkeys(source.install_hint for source in self.sources if source.module in modules)
        return f": {' or '.join(hints)}" if hints else ""


def _described(pipeline: Pipeline, servable: ServableRun) -> _Pipeline:
    return _Pipeline(
        generators=tuple(_Generator(label=s.label, k=s.k, when=s.when) for s in pipeline.sources),
        scorers=tuple(label for label, _ in pipeline.scorers),
        rerankers={
            target: tuple(_Component.of(reranker, servable, _used_by(reranker)) for reranker in chain)
            for target, chain in pipeline.rerankers.items()
        },
        fallback=tuple(label for label, _ in pipeline.fallback),
        filters=tuple(_Component.of(each, servable) for each in pipeline.filters),
    )


def _used_by(reranker: Reranker) -> str | None:
    """Return the label of the component to which an option of a re-ranker refers; None if no option does."""
    reference = used_component(reranker.config)
    return None if reference is None else reference.label


def _state_of(component: Component | Filter) -> State:
    with calling(component, "while writing the bundle"):
        state = component.state()
        check_state(state)
    return state


def _below(place: str, state: Mapping[Any, Any]) -> State:
    return {f"{place}/{name}": array for name, array in state.items()}


def _part(state: State, place: str) -> State:
    """Return the arrays whose names begin with `place/`, by the rest of their names."""
    start = f"{place}/"
    return {name.removeprefix(start): array for name, array in state.items() if name.startswith(start)}
