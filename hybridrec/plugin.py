"""What every pluggable class has: a name, a version, and a documented configuration."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo


def _beside_the_config(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder, path.expanduser()).resolve()


InputPath = Annotated[Path, AfterValidator(_beside_the_config)]
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
