"""Reference pages, in Markdown, generated from the code that they describe."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import yaml
from pydantic import BaseModel

import hybridrec
from hybridrec import kernels, testing, text_files
from hybridrec.cli import hybridrec as commands
from hybridrec.config.models import ExperimentConfig
from hybridrec.evaluation.report import Report
from hybridrec.registry import hookspecs, kinds
from hybridrec.registry.describe import Page, describe, rows
from hybridrec.registry.discovery import Registry

ROOT = Path(__file__).parents[1]
MODULES = {"kernels": kernels, "text_files": text_files, "testing": testing}
"""Public modules of hybridrec, documented name by name."""
_ANNOTATION = re.compile(r"(: |-> )'((?:[^'\\]|\\.)*)'")
"""Annotation in a signature, shown as a string."""
_FUNCTION = re.compile(r"<function (?:[^ ]+\.)?(\S+) at 0x\w+>")
"""Function as a default value; its address would change the page each time."""
HOOKS = vars(hookspecs.offer_hooks()) | {
    name: hook for name, hook in vars(hookspecs).items() if name.startswith("hybridrec_")
}


def plugin_pages(registry: Registry) -> dict[str, str]:
    """Return file -> page of every class that the distribution itself provides."""
    found = {}
    for kind in kinds.KINDS:
        for name in own(kind.plural, registry):
            page = next(page for page in describe(name, registry) if page.kind == kind.name)
            found[f"reference/{kind.plural}/{name}.md"] = plugin_page(page)
    return found


def own(kind: str, registry: Registry) -> list[str]:
    """List the names of the classes of a kind from hybridrec, not from other installed plugins."""
    found = []
    for cls in registry.classes(kind):
        provider = registry.provider_of(cls)
        if provider is not None and provider.distribution == "hybridrec":
            found.append(cls.name)
    return found


def plugin_page(page: Page) -> str:
    """Render the output of `hybridrec show`, and measured results."""
    parts = [f"# {page.name}", f"*{page.kind}, version {page.version}*", page.text]
    parts += ["\n".join(f"- {fact}" for fact in page.facts), "## How to use it", fence(page.language, page.example)]
    if page.options:
        parts += ["## Options", table(["option", "type", "default", "meaning"], page.options)]
    if page.kind == "component" and (measured := list(_measured(page.name))):
        parts += [
            "## Measured",
            "On its own, with the fallback of the experiment (the complete tables are on the first page).",
            *measured,
        ]
    return joined(parts)


def index_page(registry: Registry) -> str:
    """Render all names by kind, each with the first sentence of its page."""
    parts = ["# Components and other plugins", "What `hybridrec show NAME` prints, a page for each."]
    for kind in kinds.KINDS:
        if names := own(kind.plural, registry):
            lines = [
                (f"[{name}]({kind.plural}/{name}.md)", _summary(registry.get(kind.plural, name))) for name in names
            ]
            parts += [f"## {kind.plural.capitalize()}", table([kind.name, ""], lines)]
    return joined(parts)


def hooks_page() -> str:
    """Render every hook with its signature."""
    parts = ["# Hooks", "Hooks for plugins and observers; [Write a plugin](../plugins.md) shows how to use them."]
    for name, hook in HOOKS.items():
        parts += [f"## {name}", fence("python", f"def {name}{signature(hook)}"), _prose(hook)]
    return joined(parts)


def commands_page(registry: Registry) -> str:
    """Render every command of the distribution with its arguments and options, those of its plugins last."""
    parts = ["# Commands", f"`hybridrec COMMAND --help` says the same. {commands.epilog}"]
    offered = [registry.get("commands", name) for name in own("commands", registry)]
    of_plugins = click.Group("hybridrec", commands=offered)
    for name, command in chain(_commands("hybridrec", commands), _commands("hybridrec", of_plugins)):
        usage = " ".join([name, *(_usage(parameter) for parameter in command.params)])
        parts += [f"## {name}", fence("text", usage), inspect.cleandoc(command.help or "")]
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        if options:
            parts.append(table(["option", "meaning"], [(_spelt(option), _meaning(option)) for option in options]))
    return joined(parts)


def model_page(title: str, text: str, model: type[BaseModel]) -> str:
    """Render a page of all keys of a document; each nested mapping has a table of its own."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    parts = [f"# {title}", text, _keys(schema, definitions)]
    for name, definition in definitions.items():
        if "properties" in definition:
            parts += [f"## {name}", definition.get("description", ""), _keys(definition, definitions)]
    return joined(parts)


def experiment_page() -> str:
    """Render the keys of an experiment file."""
    text = (
        "The keys of an experiment file without those of plugins: `data`, `split`, components and re-rankers "
        "take the options of the [plugin they name](index.md), too. `hybridrec schema` prints a JSON Schema."
    )
    return model_page("Experiment files", text, ExperimentConfig)


def report_page() -> str:
    """Render the keys of report.json."""
    text = "The keys of report.json; `hybridrec schema --of report` prints its JSON Schema. Missing values are null."
    return model_page("report.json", text, Report)


def api_page() -> str:
    """Render every public name with its signature and docstring."""
    parts = ["# Public API", "The names that plugins and notebooks may import; all others are internal."]
    for name in hybridrec.__all__:
        if not inspect.ismodule(getattr(hybridrec, name)):
            parts += _described(name, getattr(hybridrec, name), "##")
    for called, module in MODULES.items():
        parts += [f"## hybridrec.{called}", _prose(module)]
        for name in module.__all__:
            parts += _described(name, getattr(module, name), "###")
    return joined(parts)


def names() -> str:
    """Render every public name in one line: arguments of functions, and the first sentence of each."""
    kinds: dict[str, list[str]] = {"Classes": [], "Functions": [], "Errors": [], "Arrays and constants": []}
    for name in hybridrec.__all__:
        thing = getattr(hybridrec, name)
        error = inspect.isclass(thing) and issubclass(thing, Exception)
        kind = "Errors" if error else "Classes" if inspect.isclass(thing) else "Arrays and constants"
        if not inspect.ismodule(thing):
            kinds["Functions" if inspect.isfunction(thing) else kind].append(name)
    parts: list[str] = []
    for kind, found in kinds.items():
        parts += [f"### {kind}", _in_short(hybridrec, found)]
    for called, module in MODULES.items():
        parts += [f"### hybridrec.{called}", _first_sentence(inspect.getdoc(module)), _in_short(module, module.__all__)]
    return joined(parts)


def completed(page: str) -> str:
    """Complete the page for authors of plugins with the current checks, hooks and public names."""
    for title, content in (("Every check", checks()), ("Hooks", hooks()), ("Every public name", names())):
        before, heading, rest = page.partition(f"\n## {title}\n\n")
        introduction = rest.partition("\n\n###")[0].rstrip()
        _, following, after = rest.partition("\n\n## ")
        page = f"{before}{heading}{introduction}\n\n{content.rstrip()}{following}{after}"
    return f"{page.rstrip()}\n"


def contracts() -> list[type[testing.Contract]]:
    """Return the contract suites of all kinds, each once."""
    names = dict.fromkeys(role.contract for kind in kinds.KINDS for role in kind.roles)
    return [kinds.resolve(name) for name in names]


def checks() -> str:
    """Return every check of every contract suite, with its docstring."""
    parts = []
    for contract in contracts():
        meanings = {check: inspect.getdoc(getattr(contract, f"test_{check}")) or "" for check in contract.checks()}
        lines = [f"- `{check}`: {' '.join(meaning.split())}" for check, meaning in meanings.items()]
        parts += [f"### {contract.__name__}", "\n".join(lines)]
    return joined(parts)


def hooks() -> str:
    """Return every hook with its signature and docstring."""
    parts = []
    for name, hook in HOOKS.items():
        meaning = " ".join((inspect.getdoc(hook) or "").split())
        parts += [f"### {name}", f"```python hook\ndef {name}{signature(hook)}\n```", meaning]
    return joined(parts)


def described(name: str) -> str:
    """Return the text below a public constant or type, where it is defined."""
    stub = (ROOT / "hybridrec" / "__init__.pyi").read_text(encoding="utf-8")
    home = re.search(rf"^from \.(\S+) import {name} as {name}$", stub, re.M)
    assert home is not None, f"{name} is not in __init__.pyi"
    tree = ast.parse(inspect.getsource(importlib.import_module(f"hybridrec.{home[1]}")))
    for statement, following in zip(tree.body, tree.body[1:], strict=False):
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        target = statement.targets[0] if isinstance(statement, ast.Assign) else target
        text = (
            following.value.value
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            else ""
        )
        if isinstance(target, ast.Name) and target.id == name:
            return inspect.cleandoc(str(text))
    return ""


def signature(thing: Any) -> str:
    """Return the parameters and the result as written in the source; "" for exceptions."""
    try:
        return _FUNCTION.sub(r"\1", _ANNOTATION.sub(r"\1\2", str(inspect.signature(thing))))
    except ValueError:
        return ""


def table(headers: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Render a table in Markdown."""
    lines = [headers, ["---"] * len(headers), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def fence(language: str, code: str) -> str:
    """Render a block of code."""
    return f"```{language}\n{code.rstrip()}\n```"


def joined(parts: Iterable[str]) -> str:
    """Join paragraphs, leaving out empty ones."""
    return "\n\n".join(part for part in parts if part) + "\n"


def _described(name: str, thing: Any, level: str) -> Iterator[str]:
    yield f"{level} {name}"
    if not (inspect.isclass(thing) or inspect.isfunction(thing)):
        yield described(name)
        return
    yield fence("python", f"{'class' if inspect.isclass(thing) else 'def'} {name}{signature(thing)}")
    yield _prose(thing)
    if inspect.isclass(thing):
        for key, method in tuple(vars(thing).items()):  # a copy, because a signature may add to it
            function = getattr(method, "fget", None) or getattr(method, "__func__", method)
            if not key.startswith("_") and inspect.isfunction(function) and inspect.getdoc(function):
                called = key if isinstance(method, property) else f"{key}{signature(function)}"
                yield f"- `{called}`: {' '.join((inspect.getdoc(function) or '').split())}"


def _in_short(module: ModuleType, names: Iterable[str]) -> str:
    """Render a table of some names of a module: arguments of functions, and the first sentence of each."""
    lines = []
    for name in names:
        thing = getattr(module, name)
        text = inspect.getdoc(thing) if inspect.isclass(thing) or inspect.isfunction(thing) else described(name)
        lines.append((f"`{name}{_taken(thing) if inspect.isfunction(thing) else ''}`", _first_sentence(text)))
    return table(["name", "what it is"], lines)


def _taken(function: Callable[..., Any]) -> str:
    """Render a signature without types."""
    full = inspect.signature(function)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in full.parameters.values()]
    return _FUNCTION.sub(r"\1", str(full.replace(parameters=bare, return_annotation=full.empty)))


def _first_sentence(text: str | None) -> str:
    return re.split(r"(?<=\.)\s+(?=[A-Z`])", " ".join((text or "").split("\n\n")[0].split()))[0]


def _prose(thing: Any) -> str:
    """Render a docstring in Markdown: its lines `name: meaning` become a list."""
    text = inspect.getdoc(thing) or ""
    return re.sub(r"^(\w+(?:, \w+)*): ", r"\n- `\1`: ", text, flags=re.M)


def _summary(offer: type | click.Command) -> str:
    text = offer.help if isinstance(offer, click.Command) else inspect.getdoc(offer)
    return " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split())


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield f"{path} {name}", below
        yield from _commands(f"{path} {name}", below)


def _usage(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Option):
        return parameter.opts[-1] if parameter.required else f"[{parameter.opts[-1]}]"
    name = (parameter.name or "").upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _spelt(option: click.Option) -> str:
    if option.is_flag:
        value = ""
    elif isinstance(option.type, click.Choice):
        value = " " + " | ".join(map(str, option.type.choices))
    else:
        value = f" {option.metavar or option.type.name.upper()}"
    return f"`{', '.join(option.opts)}{value}`"


def _meaning(option: click.Option) -> str:
    """Render the help of an option, a note if it may be repeated, and its default as readers see it."""
    said = option.help or ""
    if option.multiple:
        said += " May be given several times."
    if option.show_default and option.default is not None:
        default = option.show_default if isinstance(option.show_default, str) else option.default
        said += f" Default: `{default}`."
    return said.strip()


def _keys(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    lines = rows(dict(schema), dict(definitions), "", deep=False)
    return table(["key", "type", "default", "meaning"], list(lines))


def _measured(component: str) -> Iterator[str]:
    """Yield the rows for a component on its own from the tables of the README and the page of results."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "docs" / "results.md"))
    for config, body in re.findall(r"<!-- ([\w-]+) -->\n(.*?)\n<!-- /\1 -->", pages, re.S):
        components = yaml.safe_load((ROOT / "configs" / f"{config}.yaml").read_text(encoding="utf-8"))["components"]
        labels = [label for label, options in components.items() if (options or {}).get("use", label) == component]
        header, line, *lines = body.splitlines()
        alone = [row for row in lines if any(row.startswith(f"| {label} (alone) |") for label in labels)]
        if alone:
            yield f"`configs/{config}.yaml`:"
            yield "\n".join([header, line, *alone])
