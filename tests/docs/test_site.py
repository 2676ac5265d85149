"""The site is built without a warning, and its reference leaves nothing out."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType

import click
import pytest

import hybridrec
from docs import build, reference
from hybridrec import testing
from hybridrec.cli import COMMANDS
from hybridrec.cli import hybridrec as commands
from hybridrec.config import yaml_document
from hybridrec.config.load import check
from hybridrec.registry.discovery import Registry
from hybridrec.registry.kinds import KINDS
from tests.docs.test_snippets import whole

REGISTRY = Registry()


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The Markdown of all pages."""
    return build.pages()


@pytest.fixture(scope="module")
def sections(pages: dict[str, str]) -> Callable[[str], dict[str, str]]:
    """Returns what stands below each heading of a page."""

    @cache
    def split(page: str) -> dict[str, str]:
        pieces = re.split(r"^##+ (.+)$", pages[page], flags=re.M)
        return dict(zip(pieces[1::2], pieces[2::2], strict=True))

    return split


def slug(heading: str) -> str:
    """The anchor of a heading, as the site makes it."""
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def test_links_lead_to_pages_and_headings_that_are_there(pages):
    anchors = {
        name: {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.M)} for name, text in pages.items()
    }
    lost = []
    for name, text in pages.items():
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
        for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", prose):
            path, _, anchor = link.partition("#")
            target = os.path.normpath(Path(name).parent / path) if path else name
            if target in pages:
                lost += [f"{name}: {link}"] if anchor and anchor not in anchors[target] else []
            elif not (build.DOCS / target).is_file():
                lost.append(f"{name}: {link}")
    assert lost == []


@pytest.mark.slow
def test_the_site_is_built(tmp_path: Path, pages):
    pytest.importorskip("zensical")
    build.build(tmp_path / "site")
    for name, text in pages.items():
        page = Path(name).with_suffix("")
        file = tmp_path / "site" / (page.parent if page.name == "index" else page) / "index.html"
        html = file.read_text(encoding="utf-8")
        assert "```" not in html, f"{name}: a block is not closed"
        assert "fonts.googleapis" not in html, "a reader is not reported to anybody"
        for image in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text):
            assert (tmp_path / "site" / Path(name).parent / image).is_file(), f"{name}: no image {image}"


def test_every_page_of_the_folder_is_in_one_section():
    listed = [name for names in build.SECTIONS.values() for name in names]
    written = [*build.DOCS.glob("*.md"), *build.DOCS.glob("plugins/*.md")]
    assert sorted(listed) == sorted(path.relative_to(build.DOCS).as_posix() for path in written)


def test_every_page_is_in_the_navigation(pages):
    listed = set(re.findall(r'"([\w/.-]+\.md)"', build.config(build.navigation(pages))))
    assert listed == pages.keys()


@pytest.fixture(scope="module")
def described(pages, sections) -> dict[str, str]:
    """The text of each name on the pages of the public API."""
    return {name: text for page in pages if page.startswith("api/") for name, text in sections(page).items()}


@pytest.mark.parametrize("module", [hybridrec, *reference.MODULES.values()], ids=lambda module: module.__name__)
def test_every_public_name_and_method_is_documented_with_its_signature(module: ModuleType, pages, described):
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            assert pages[f"api/{name}.md"].startswith(f"# hybridrec.{name}\n")
            continue
        text = described[name]
        if inspect.isfunction(thing) or (inspect.isclass(thing) and thing is not str):
            assert f"{'class' if inspect.isclass(thing) else 'def'} {name}" in text
        assert re.search(r"\w{3}", re.sub(r"```.*?```", "", text, flags=re.S)), (
            f"{name} has no text where it is defined"
        )
        for key, member in vars(thing).items() if inspect.isclass(thing) and thing is not str else ():
            function = getattr(member, "__func__", member)
            if key.startswith("_"):
                continue
            if isinstance(member, property | cached_property):
                assert re.search(rf"^- `{key}`: \w+", text, re.M), f"{name}.{key} is not described"
            elif not inspect.isfunction(function):
                continue
            elif key.startswith("test_") and issubclass(thing, testing.Contract):
                assert f"`{key.removeprefix('test_')}`: {' '.join(inspect.getdoc(member).split())}" in text
            else:
                entry = re.search(rf"^- `{key}{re.escape(reference.signature(function))}`: \w+", text, re.M)
                assert entry, f"{name}.{key} is not described with its signature"


@pytest.mark.parametrize("module", [hybridrec, testing], ids=lambda module: module.__name__)
def test_every_public_attribute_of_a_class_is_described(module: ModuleType, described):
    """A class that only sets an attribute of its base anew need not describe it."""
    lost = []
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) and thing is not str:
            inherited = {key for base in thing.__mro__[1:] for key in vars(base).get("__annotations__", {})}
            own = {key for key in vars(thing).get("__annotations__", {}) if not key.startswith(("_", "model_"))}
            lost += [f"{name}.{key}" for key in own - inherited if not re.search(rf"\b{key}\b", described[name])]
    assert lost == []


@pytest.mark.parametrize("name", reference.HOOKS)
def test_every_hook_is_documented_with_its_signature(name: str, sections):
    text = sections("api/hooks.md")[name]
    assert f"def {name}{reference.signature(reference.HOOKS[name])}" in text
    assert text.partition("```\n\n")[2].strip()


def test_every_command_is_documented_with_its_options(sections):
    texts = sections("reference/commands.md")
    for name in (*COMMANDS, *reference.own("commands", REGISTRY)):
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        text = texts[f"hybridrec {name}"]
        assert all(f"`{option.opts[0]}" in text for option in command.params if option.param_type_name == "option")
        assert "|  |" not in text, f"an option of {name} has no help"


def test_the_page_of_an_exporter_shows_the_command_line(pages):
    page = pages["reference/exporters/mpd.md"]
    assert re.findall(r"```bash\n(.*?)```", page, re.S) == [
        'hybridrec export runs/NAME --format mpd --set team="the neighbours" --set email="us@example.org"\n'
    ]


@pytest.mark.parametrize("kind", [kind.plural for kind in KINDS if not kind.roles[0].usage.startswith("hybridrec")])
def test_every_plugin_class_has_a_page_whose_config_is_valid(kind: str, tmp_path: Path, pages):
    for name in reference.own(kind, REGISTRY):
        page = pages[f"reference/{kind}/{name}.md"]
        (example,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
        for file in re.findall(r"\b[\w-]+\.parquet\b", example):  # a config that names a file needs one to be there
            (tmp_path / file).touch()
        piece = yaml_document.parse(example, name).content
        experiment = yaml_document.parse("{}", name)
        experiment.content = whole(piece)
        assert check(experiment, REGISTRY, tmp_path)


def test_what_was_measured_of_a_component_stands_on_its_page(pages):
    assert "| ease (alone) |" in pages["reference/components/ease.md"]
    assert "| transfer-rank (alone) |" in pages["reference/components/content-transfer.md"]
    assert "(alone)" not in pages["reference/components/weighted.md"]
