"""Reference pages, in Markdown, generated from the code that they describe."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import chain, pairwise
from pathlib import Path
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
    texts = {}
    for kind in kinds.KINDS:
        for name in own(kind.plural, registry):
            page = next(page for page in describe(name, registry) if page.kind == kind.name)
            texts[f"reference/{kind.plural}/{name}.md"] = plugin_page(page)
    return texts


def own(kind: str, registry: Registry) -> list[str]:
    """List the names of the classes of a kind from hybridrec, not from other installed plugins."""
    own_names = []
    for cls in registry.classes(kind):
        provider = registry.provider_of(cls)
        if provider is not None and provider.distribution == "hybridrec":
            own_names.append(cls.name)
    return own_names


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


def commands_page(registry: Registry) -> str:
    """Render every command of the distribution with its arguments and options, those of its plugins last."""
    exit_status, _, _ = (commands.epilog or "").partition("\n\n")  # commands of plugins are listed here
    parts = ["# Commands", f"`hybridrec COMMAND --help` says the same. {exit_status}"]
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


def api_pages() -> dict[str, str]:
    """Return file -> page of the public API: an index, a page for each subject and public module, and the hooks."""
    pages, links = {}, []
    for file, (title, introduction, names) in _subjects().items():
        described = chain.from_iterable(_described(name, getattr(hybridrec, name)) for name in names)
        pages[f"api/{file}.md"] = joined([f"# {title}", introduction, *described])
        links.append((file, title, names))
    for called, module in MODULES.items():
        described = chain.from_iterable(_described(name, getattr(module, name)) for name in module.__all__)
        title = f"hybridrec.{called}"
        pages[f"api/{called}.md"] = joined([f"# {title}", _prose(module), *described])
        links.append((called, title, module.__all__))
    index = ["# Public API", *INDEX.strip().split("\n\n")]
    for file, title, names in links:
        linked = ", ".join(f"[`{name}`]({file}.md#{name.lower()})" for name in names)
        index += [f"## [{title}]({file}.md)", linked]
    return {"api/index.md": joined(index), **pages, "api/hooks.md": hooks_page()}


INDEX = """
The names that plugins and notebooks may import from `hybridrec`, and those of its modules `kernels`, `text_files` and
`testing`, with every public method; whatever is not listed is internal. Q is the number of queries of a batch, N the
number of ids of a kind, K or k the width of candidates.

[Hooks](hooks.md) has the functions by which a plugin offers its classes.
"""
SUBJECTS = {
    "stages": ("Components, pools and slates", "The three stages and the arrays between them.", ("stages",)),
    "data": ("Data and queries", "Data sets, what reads, splits and divides them, and queries.", ("data", "types")),
    "plugins": ("Options and plugins", "Bases of all plugins, types of their options, errors.", ("",)),
    "evaluation": ("Metrics and statistics", "Slates beside the truth, and estimates from them.", ("evaluation",)),
    "runs": (
        "Experiments and runs",
        "Experiments, what carries them out and listens, and what came of them.",
        ("api", "cli", "config", "engine", "observers", "paths", "runs", "serving", "tuning"),
    ),
}
"""File -> title, introduction and folders of a page of the public API; "" has what is in no other."""


def _subjects() -> dict[str, tuple[str, str, list[str]]]:
    """Return file -> title, introduction and names in order; a name belongs to the folder that defines it."""
    of_folder = {folder: file for file, (_, _, folders) in SUBJECTS.items() for folder in folders}
    names: dict[str, list[str]] = {file: [] for file in SUBJECTS}
    for name, home in sorted(homes().items()):
        if not inspect.ismodule(getattr(hybridrec, name)):
            names[of_folder.get(home.partition(".")[0], of_folder[""])].append(name)
    return {file: (title, text, names[file]) for file, (title, text, _) in SUBJECTS.items()}


def homes() -> dict[str, str]:
    """Return public name -> module that defines it, below `hybridrec`."""
    stub = (ROOT / "hybridrec" / "__init__.pyi").read_text(encoding="utf-8")
    return {name: home for home, name in re.findall(r"^from \.(\S+) import \w+ as (\w+)$", stub, re.M)}


def hooks_page() -> str:
    """Render every hook with its signature."""
    text = (
        "A plugin implements those it wants, marked with `@hookimpl`; an implementation takes those arguments that it "
        "wants, by name. Those that return classes offer them; `hybridrec_starters` proposes components to "
        "`hybridrec init` and is called by nothing else. No hook carries a score. An implementation with "
        "`@hookimpl(optionalhook=True)` may also name a hook of a later version: an earlier one leaves it alone."
    )
    parts = ["# Hooks", text]
    for name, hook in HOOKS.items():
        parts += [f"## {name}", fence("python", f"def {name}{signature(hook)}"), _prose(hook)]
    return joined(parts)


def described(name: str) -> Iterator[str]:
    """Yield the definition of a public constant or type, unless it calls what is internal, and the text below it."""
    source = inspect.getsource(importlib.import_module(f"hybridrec.{homes()[name]}"))
    tree = ast.parse(source)
    for statement in tree.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(defined)) | ast.Assign(targets=[ast.Name(defined)]) if defined == name:
                if not any(isinstance(node, ast.Call) for node in ast.walk(statement)):
                    yield fence("python", ast.get_source_segment(source, statement) or "")
    yield _attribute_texts(tree).get(name, "")


def _attribute_texts(definition: ast.Module | ast.ClassDef) -> dict[str, str]:
    """Return the text below each constant of a module, or attribute of a class, that has one."""
    texts = {}
    for statement, following in pairwise(definition.body):
        match statement, following:
            case (
                (ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)])),
                ast.Expr(ast.Constant(str(text))),
            ):
                texts[name] = inspect.cleandoc(text)
    return texts


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
    return "\n\n".join(paragraph for paragraph in parts if paragraph) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    """Yield the paragraphs on a public name: signature, text, and every public method."""
    yield f"## {name}"
    if isinstance(thing, type(Any)) or not (inspect.isclass(thing) or inspect.isfunction(thing)) or thing is str:
        yield from described(name)
        return
    model = inspect.isclass(thing) and issubclass(thing, BaseModel)
    yield fence("python", f"{'class' if inspect.isclass(thing) else 'def'} {name}{'' if model else signature(thing)}")
    yield _prose(thing)
    if not inspect.isclass(thing):
        return
    if bases := [f"`{base.__name__}`" for base in thing.__mro__[1:] if getattr(hybridrec, base.__name__, None) is base]:
        yield f"Derives from {', '.join(bases)}."
    if model and thing.model_fields:
        schema = thing.model_json_schema(by_alias=True)
        yield _keys(schema, schema.get("$defs", {}))
    elif issubclass(thing, testing.Contract):
        meanings = {check: inspect.getdoc(getattr(thing, f"test_{check}")) or "" for check in thing.checks()}
        yield "\n".join(f"- `{check}`: {' '.join(meaning.split())}" for check, meaning in meanings.items())
    lines = [f"- `{written}`: {text}" for written, text in public_members(thing)]
    yield "\n".join(lines)


def public_members(cls: type) -> Iterator[tuple[str, str]]:
    """Yield each public attribute with a text, property and method that a class defines itself, and its text."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except OSError:  # made by a function, as a NamedTuple can be
        definition = ast.ClassDef(cls.__name__, [], [], [], [])
    assert isinstance(definition, ast.ClassDef)
    if not issubclass(cls, BaseModel):
        for name, text in _attribute_texts(definition).items():
            if not name.startswith("_"):
                yield name, " ".join(text.split())
    # Methods to override may stand in a base of several contracts that has no section of its own.
    bases = [base for base in cls.__mro__[1:] if issubclass(base, testing.Contract)]
    shared = [vars(base) for base in bases if base.__name__ not in testing.__all__]
    members = dict(ChainMap({}, vars(cls), *shared))  # a copy, because a signature may add to it
    for key, member in members.items():
        if key.startswith("_") or (key.startswith("test_") and issubclass(cls, testing.Contract)):
            continue
        plain = isinstance(member, property | cached_property)
        function = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
        if inspect.isfunction(function):
            text = " ".join((inspect.getdoc(getattr(cls, key) if not plain else function) or "").split())
            yield key if plain else f"{key}{signature(function)}", text


def _prose(thing: Any) -> str:
    """Render a docstring in Markdown: its lines `name: meaning` become a list."""
    text = re.sub(r"^(\w+(?:, \w+)*): ", r"- `\1`: ", inspect.getdoc(thing) or "", flags=re.M)
    return re.sub(r"(?<=\n)([^-\s].*\n)(?=- `)", r"\1\n", text)


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
    for config, names, body in _tables():
        labels = [label for label, name in names.items() if name == component]
        header, line, *lines = body.splitlines()
        alone = [row for row in lines if any(row.startswith(f"| {label} (alone) |") for label in labels)]
        if alone:
            yield f"`configs/{config}.yaml`:"
            yield "\n".join([header, line, *alone])


@cache
def _tables() -> list[tuple[str, dict[str, str], str]]:
    """Return the measured tables of both pages: name of the config, label -> name of its components, table."""
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "docs" / "results.md"))
    tables = []
    for config, body in re.findall(r"<!-- ([\w-]+) -->\n(.*?)\n<!-- /\1 -->", pages, re.S):
        components = yaml.safe_load((ROOT / "configs" / f"{config}.yaml").read_text(encoding="utf-8"))["components"]
        names = {label: (options or {}).get("use", label) for label, options in components.items()}
        tables.append((config, names, body))
    return tables
