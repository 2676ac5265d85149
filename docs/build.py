"""Build the documentation site: `python docs/build.py [FOLDER]`, by default into `site/`. Warnings are errors.

The pages are those of this folder, README.md, CONTRIBUTING.md, CHANGELOG.md and what `docs/reference.py` makes from
the code.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from docs import reference  # noqa: E402
from hybridrec.registry import kinds  # noqa: E402
from hybridrec.registry.discovery import Registry  # noqa: E402

DOCS = ROOT / "docs"
SECTIONS = {
    "Start": ("start.md", "your-data.md", "data-sets.md", "python.md"),
    "Blend and tune": ("stages.md", "filters.md", "choosing-a-blend.md", "re-ranking.md", "cold-start.md", "tuning.md"),
    "Compare": (
        "comparing-blends.md",
        "other-systems.md",
        "validity.md",
        "results.md",
        "systems.md",
        "systems-measured.md",
    ),
    "Choose models": (
        "word2vec.md",
        "factorization.md",
        "item-graphs.md",
        "sessions.md",
        "autoencoders.md",
        "audio.md",
        "auto-tagging.md",
        "melon-w2v.md",
    ),
    "Serve": ("walkthrough.md", "serving.md", "events.md", "playground.md"),
    "Extend": ("plugins.md", "plugins/tutorial.md", "executors.md", "scaling.md", "engines.md"),
    "How to, in a plugin": (
        "plugins/arrays.md",
        "plugins/model.md",
        "plugins/torch.md",
        "plugins/long-fits.md",
        "plugins/figures.md",
        "plugins/foreign-models.md",
        "plugins/text.md",
        "plugins/targets.md",
        "plugins/columns.md",
        "plugins/options.md",
        "plugins/re-ranker.md",
        "plugins/request.md",
        "plugins/policy.md",
        "plugins/normaliser.md",
        "plugins/filter.md",
        "plugins/reader.md",
        "plugins/sql.md",
        "plugins/splitter.md",
        "plugins/segmenter.md",
        "plugins/metric.md",
        "plugins/observer.md",
        "plugins/executor.md",
        "plugins/exporter.md",
        "plugins/command.md",
        "plugins/starters.md",
        "plugins/testing.md",
        "plugins/without-packaging.md",
        "plugins/versions.md",
    ),
    "Work on hybridrec": ("architecture.md", "glossary.md", "performance.md", "reliability.md"),
}
"""Pages of the folder by what their readers want to do."""


def pages() -> dict[str, str]:
    """Return file -> Markdown of the whole site, in the order of the navigation."""
    registry = Registry()
    texts = {"index.md": _from_root(ROOT / "README.md")}
    for names in SECTIONS.values():
        texts |= {name: (DOCS / name).read_text(encoding="utf-8") for name in names}
    texts["reference/index.md"] = reference.index_page(registry)
    texts |= reference.plugin_pages(registry)
    texts["reference/commands.md"] = reference.commands_page(registry)
    texts["reference/experiment.md"] = reference.experiment_page()
    texts["reference/report.md"] = reference.report_page()
    texts |= reference.api_pages()
    for path in sorted(DOCS.glob("decisions/*.md")):
        texts[f"decisions/{path.name}"] = path.read_text(encoding="utf-8")
    texts["contributing.md"] = _from_root(ROOT / "CONTRIBUTING.md")
    texts["changes.md"] = _from_root(ROOT / "CHANGELOG.md")
    return texts


def navigation(texts: dict[str, str]) -> list[object]:
    """Return the pages as a tree of titles."""

    def entry(file: str) -> dict[str, str]:
        return {_title(texts[file]): file}

    def below(folder: str) -> list[dict[str, str]]:
        return [entry(file) for file in texts if Path(file).parent == Path(folder)]

    sections = [{title: [entry(file) for file in files]} for title, files in SECTIONS.items()]
    folders = [(kind.plural.capitalize(), below(f"reference/{kind.plural}")) for kind in kinds.KINDS]
    plugins = [{title: entries} for title, entries in folders if entries]
    return [
        {"hybridrec": "index.md"},
        *sections,
        {"Reference": [*below("reference"), *plugins]},
        {"Public API": below("api")},
        {"Decisions": below("decisions")},
        {"Contributing": "contributing.md"},
        {"Changes": "changes.md"},
    ]


def build(site: Path) -> None:
    """Write the pages and a config into a temporary folder, and build `site` from them with Zensical.

    The words after the language of a block instruct the tests and are not shown on the page.
    """
    texts = pages()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name, text in texts.items():
            target = folder / "docs" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(re.sub(r"^```(\w+) [\w.-]+$", r"```\1", text, flags=re.M), encoding="utf-8")
        for asset in (*DOCS.glob("*.svg"), *DOCS.glob("*.png"), *DOCS.glob("*.schema.json")):
            shutil.copy(asset, folder / "docs")
        (folder / "zensical.toml").write_text(config(navigation(texts)), encoding="utf-8")
        command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{done.stdout}{done.stderr}")
        shutil.rmtree(site, ignore_errors=True)
        shutil.copytree(folder / "site", site)


def config(tree: list[object]) -> str:
    """Render zensical.toml; arrays and strings of JSON are valid TOML, while inline tables need `=`."""
    return f"""\
[project]
site_name = "hybridrec"
site_description = "A hybrid recommender plugin framework"
docs_dir = "docs"
site_dir = "site"
nav = {_inline(tree)}

[project.theme]
features = ["navigation.sections", "navigation.top", "content.code.copy"]
font = false

[[project.theme.palette]]
scheme = "default"
toggle = {{ icon = "lucide/sun", name = "Dark" }}

[[project.theme.palette]]
scheme = "slate"
toggle = {{ icon = "lucide/moon", name = "Light" }}
"""


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_inline(below)}" for key, below in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


def _from_root(path: Path) -> str:
    """Read a page of the top folder, with its links made those of a page in docs/."""
    text = path.read_text(encoding="utf-8").replace("](docs/", "](")
    first = min(DOCS.glob("decisions/*.md")).name  # a folder is no page of the site
    return text.replace("](CONTRIBUTING.md", "](contributing.md").replace("](decisions/)", f"](decisions/{first})")


def _title(text: str) -> str:
    """Return the text of the first heading."""
    heading = re.search(r"^# (.+)$", text, re.M)
    assert heading is not None, f"a page without a heading: {text[:60]!r}"
    return heading[1]


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    build(target)
    print(target / "index.html")
