"""The base class of plugin classes, which have a name, a version and documented options."""

from __future__ import annotations

import ast
import inspect
import textwrap
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hybridrec.assigned_text import beside_the_command


def beside_the_config(path: Path, info: ValidationInfo) -> Path:
    """Make a relative path start at the `folder` of the validation context; without a folder it stays as it is."""
    folder = (info.context or {}).get("folder")
    if folder is None:
        return path
    try:
        return Path(folder, path.expanduser()).resolve()
    except (RuntimeError, OSError) as error:  # a user of this name, or a loop of links
        raise ValueError(f"the path cannot be followed: {error}") from None


InputPath = Annotated[Path, BeforeValidator(beside_the_command), AfterValidator(beside_the_config)]
"""Type of a path in a config. A relative path starts at the folder of the config file (`folder` of the validation
context); a relative path in an assignment (`--set`) starts at the working folder."""


class Options(BaseModel):
    """Base class of all options: an unknown key is an error, and values cannot be changed after loading.

    Each field has a docstring, from which reference pages and the JSON Schema are made.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # it may be a secret
        # Building the validators of a hundred classes would take a tenth of the start-up of `hybridrec plugins`.
        defer_build=True,
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema with the docstrings of the fields as their descriptions."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_docstrings(cls).items():
            field = cls.model_fields[name]
            properties.get(field.alias or name, {}).setdefault("description", text)
        return schema


@cache
def field_docstrings(model: type[Options]) -> dict[str, str]:
    """Return the docstrings of the fields of a model, by field name; fields without one are left out.

    The docstrings are searched in the source only when this function is called. pydantic would search them when the
    class is made, which would take a tenth of the time from the start of a process to its first slate.
    """
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, Options) or base is Options:
            continue
        try:
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError, SyntaxError):  # no source: a class made in a shell, say
            continue
        for statement, text in pairwise(getattr(definition, "body", ())):
            match statement, text:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(words))):
                    texts[name] = inspect.cleandoc(words)
    return {name: text for name, text in texts.items() if name in model.model_fields}


class Plugin(ABC):
    """Base class of all classes that plugin modules offer: components, filters, readers, metrics and others.

    name: the value of `use` in the YAML
    version: must be increased whenever the same data and options give another result than before; stored fits of
        older versions are then no longer used
    Config: the class of its options
    config: the validated options of this instance
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    Config: ClassVar[type[Options]] = Options
    expected_failures: ClassVar[Mapping[str, str]] = {}
    """Checks of its contract suite (`hybridrec.testing`) that the class is known to fail: check -> reason."""
    check_configs: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """The options with which its contract suite checks the class: a mapping, as in the YAML, for each run of the suite.
    They set the options without a default, and small values for options that decide how long a fit takes."""

    config: Any

    def __init__(self, config: Options | None = None) -> None:
        """Take the options, an instance of `Config`, by default with default values.

        Raises TypeError for options of another class.
        """
        self.config = self.Config() if config is None else config
        if not isinstance(self.config, self.Config):
            raise TypeError(f"{type(self).__name__} takes {self.Config.__qualname__}, not {type(config).__qualname__}")

    @classmethod
    def check_data(cls) -> Any:
        """Return the Dataset on which its contract suite checks the class; None for the toy dataset of the suites.

        Override it, with a small dataset, for a class that needs something that the toy dataset lacks.
        """
        return None


StarterRole = Literal["control", "generator", "scorer", "fusion", "fallback"]
"""A place in the config that `hybridrec init` writes: the component of the pipeline `control`; a generator, scorer
or fusion of the pipeline `hybrid`; a fallback of both pipelines."""


@dataclass(frozen=True, slots=True)
class StarterConfig:
    """A shipped config that a plugin proposes for the data that `hybridrec init` was given.

    `init` takes the proposal with the highest priority, enters the user's own data and writes it in place of a config
    made of components. It only names the other proposals.

    file: the name of the config, "plugin:NAME/FILE.yaml"
    changes: key path -> value, for values that suit this data better: {"split.test": 0.2}. The section `data` that
        `init` writes holds only what the reader needs to find the data, so options of the reader belong here
    priority: the proposal with the highest priority counts; among proposals of equal priority, the first by `file`
    """

    file: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Starter:
    """A component that a plugin proposes for the config that `hybridrec init` writes.

    component: the name of the component
    roles: its places in the config; `control` and `fusion` are given only to the proposal with the highest priority
    options: options that differ from the defaults
    label: its label in the config; by default the component's name
    priority: proposals of higher priority come first, and proposals of equal priority in order of their labels
    choose: an option whose best value depends on the data, with two to four values among which the run chooses
    """

    component: str
    roles: frozenset[StarterRole]
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    priority: int = 0
    choose: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set the label to the component's name if it is empty."""
        object.__setattr__(self, "label", self.label or self.component)
