"""What every pluggable class has: a name, a version, and a documented configuration."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


def beside_the_config(path: Path, info: ValidationInfo) -> Path:
    """Return a path that starts at `folder` of the validation context, if there is one."""
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder, path.expanduser()).resolve()


InputPath = Annotated[Path, AfterValidator(beside_the_config)]
"""A path in a configuration: a relative one starts at `folder` of the validation context, the config file's."""


class Options(BaseModel):
    """Base of every configuration: unknown keys are refused, values do not change after loading.

    Each field carries a description; reference pages and the JSON Schema are made from them.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        defer_build=True,  # validators of a hundred classes would be a tenth of the start of `hybridrec plugins`
    )


class Plugin(ABC):
    """Base of components, normalisers, readers, splitters and metrics: what a plugin module may offer.

    `name` is what the YAML says under `use`. Raise `version` whenever the same data and options would
    give another result: stored fits of the older version are then not used any more.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    Config: ClassVar[type[Options]] = Options
    expected_failures: ClassVar[Mapping[str, str]] = {}
    """Checks of its contract suite (`hybridrec.testing`) that it is known to fail, each with the reason."""

    config: Any

    def __init__(self, config: Options | None = None) -> None:
        """Take a validated `Config`, or its defaults."""
        self.config = self.Config() if config is None else config
        if not isinstance(self.config, self.Config):
            raise TypeError(f"{type(self).__name__} takes {self.Config.__qualname__}, not {type(config).__qualname__}")


StarterRole = Literal["control", "generator", "scorer", "fusion", "fallback"]
"""A place in the config that `hybridrec init` writes: the one component of the pipeline `control`, a generator, scorer
or fusion of the pipeline `hybrid`, a fallback of both."""


@dataclass(frozen=True, slots=True)
class Starter:
    """A component that a plugin proposes for the config that `hybridrec init` writes.

    component: the name of the component
    roles: its places in the config; of `control` and `fusion` there is one, that of the highest priority
    options: options that differ from the defaults
    label: its label in the config; the component's name if left out
    priority: proposals of higher priority stand first, those of equal priority in order of their labels
    """

    component: str
    roles: frozenset[StarterRole]
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    priority: int = 0

    def __post_init__(self) -> None:
        """Fill in the label."""
        object.__setattr__(self, "label", self.label or self.component)
