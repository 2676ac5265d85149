"""Types of options that refer to something: another plugin, a component of the experiment, or a column of the pool.

The check of a config finds such references by the types of options, whatever their names.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeAlias, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    InstanceOf,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from hybridrec.errors import HybridrecError, PluginError
from hybridrec.registry.discovery import Registry
from hybridrec.stages.component import Component
from hybridrec.stages.normaliser import Normaliser


@cache
def _installed() -> Registry:
    """Return the registry of all installed plugins, for options that are made in Python without a config."""
    return Registry()


def _normaliser(value: object, info: ValidationInfo) -> object:
    """Build a normaliser from its name, or from a mapping of `use` and options.

    Any other value is returned unchanged, for pydantic to accept or refuse. Raises ValueError for an unknown name and
    for options that are not valid.
    """
    use, options = (value, {}) if isinstance(value, str) else _parts(value)
    if not isinstance(use, str):
        return value
    registry = (info.context or {}).get("registry") or _installed()
    try:
        cls = registry.get("normalisers", use)
        normaliser = cls(cls.Config.model_validate(options, context=info.context))
    except HybridrecError as error:
        raise ValueError(str(error)) from error
    except ValidationError as error:
        problems = ((".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors())
        raise ValueError("; ".join(f"{use}.{key}: {message}" for key, message in problems)) from error
    normaliser.used_as = use if "/" in use else ""
    return normaliser


def _parts(value: object) -> tuple[object, dict[str, Any]]:
    options = dict(value) if isinstance(value, dict) else {}
    return options.pop("use", None), options


def _named(value: Normaliser) -> str | dict[str, Any]:
    """Return the text or mapping from which `_normaliser` builds this normaliser: its name, or `use` with options."""
    options = value.config.model_dump(mode="json")
    use = value.used_as or value.name
    return {"use": use, **options} if options else use


NormaliserUse = Annotated[
    InstanceOf[Normaliser],
    BeforeValidator(_normaliser),
    PlainSerializer(_named),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object", "required": ["use"]}]}),
]
"""Type of an option that is a normaliser: `normalise: zscore`, or `normalise: {use: softmax, temperature: 0.5}`."""


@dataclass(frozen=True, slots=True)
class ComponentRef:
    """Type annotation for an option that names a component of the experiment by its label.

    That component is fitted first, and passed to the method `use` before `fit`. Write
    `uses: Annotated[str, ComponentRef(VectorModel)]`, or annotate `str | None` if the option may be left out. The
    option may be nested in mappings, lists and models, but only one component can be passed.

    role: the class that the component must have: VectorModel for a component with vectors, a class of the plugin's own
        for a component that provides something else, Component for any component
    """

    role: type[Component]

    @property
    def word(self) -> str:
        """The role in words, "vector model" for VectorModel."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.role.__name__).lower()


@dataclass(frozen=True, slots=True)
class PoolLabel:
    """Type annotation for a re-ranker's option that names columns of the pool; the name is checked with the config.

    A column has the label of its generator or scorer. If a scorer has several columns, they are named `label.name`, and
    a pattern such as `content.*` names all columns that match it (see `Pool.matching`). With `generators_only`, the
    option must be the label of a generator.
    """

    generators_only: bool = False


ColumnWeights: TypeAlias = dict[Annotated[str, PoolLabel()], float]
"""Type of a re-ranker's option that maps columns of the pool, or patterns of their names, to weights."""
ColumnPattern: TypeAlias = Annotated[str, PoolLabel()]
"""Type of a re-ranker's option that is a column of the pool, or a pattern: `als`, `content.price`, `content.*`."""
GeneratorLabel: TypeAlias = Annotated[str, PoolLabel(generators_only=True)]
"""Type of a re-ranker's option, or of a key in such an option: the label of a generator of the pipeline."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in the options of a plugin that names a component, a generator or a column.

    path: key path of the place; in a mapping such as `weights: {als: 0.5}` it ends in the key: ("weights", "als")
    label: the name that stands there
    """

    path: tuple[str | int, ...]
    marker: ComponentRef | PoolLabel
    label: str


def references(options: BaseModel) -> Iterator[Reference]:
    """Yield the references in options, which are found by the types of options, also in mappings, lists and models.

    Raises PluginError if an option has the type of a reference, but its value is not text.
    """
    for name, field in type(options).model_fields.items():
        yield from _references(field.annotation, field.metadata, getattr(options, name), (field.alias or name,))


def _references(
    annotation: Any, metadata: Sequence[Any], value: Any, path: tuple[str | int, ...]
) -> Iterator[Reference]:
    annotation = getattr(annotation, "__value__", annotation)  # of an alias made by `type`
    origin, inner = get_origin(annotation), get_args(annotation)
    for marker in metadata:
        if isinstance(marker, (ComponentRef, PoolLabel)) and value is not None:
            if not isinstance(value, str):
                raise PluginError(f"{'.'.join(map(str, path))}: {marker} marks a text, not {type(value).__name__}")
            yield Reference(path, marker, value)
    if origin is Annotated:
        yield from _references(inner[0], inner[1:], value, path)
    elif origin in (Union, types.UnionType):
        for member in inner:
            yield from _references(member, (), value, path)
    elif isinstance(value, Mapping) and len(inner) == 2:
        for key, below in value.items():
            yield from _references(inner[0], (), key, (*path, key))
            yield from _references(inner[1], (), below, (*path, key))
    elif isinstance(value, (list, tuple)) and inner:
        members = inner if origin is tuple and Ellipsis not in inner else (inner[0],) * len(value)
        for index, (member, below) in enumerate(zip(members, value, strict=False)):
            yield from _references(member, (), below, (*path, index))
    elif isinstance(value, BaseModel):
        yield from (Reference((*path, *below.path), below.marker, below.label) for below in references(value))


def used_component(options: BaseModel) -> Reference | None:
    """Return the reference in options to the component that is passed to `use`; None if the options name no component.

    Raises PluginError if the options name more than one component.
    """
    named = [reference for reference in references(options) if isinstance(reference.marker, ComponentRef)]
    if len({reference.label for reference in named}) > 1:
        labels = ", ".join(f"'{reference.label}'" for reference in named)
        raise PluginError(f"`use` takes only one component, but the options name {labels}")
    return named[0] if named else None
