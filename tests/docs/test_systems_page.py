"""The page on known systems is true: every command of the five that the project was founded on shows what it says.

The commands run on small made-up files in the systems' formats, with little training (`SMALL`), each system in a folder
of its own, in the order of the page.
"""

from __future__ import annotations

import html
import importlib.util
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from hybridrec import HybridrecError
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from tests.docs.markdown import ROOT, call, words_of
from tests.founding_files import write_later_plays, write_melon, write_million_song, write_spotify, write_yes

PAGE = ROOT / "docs" / "systems.md"
HEAD = "| ability | command | result |\n|---|---|---|\n"
DATA = {
    "MelonRec-W2V": lambda data: write_melon(data / "melon"),
    "Melon autoencoder, with audio": lambda data: write_melon(data / "melon", audio=True),
    "Skip-gram over Spotify playlists": lambda data: write_spotify(data / "spotify_dataset.csv", capitals=True),
    "Song2Vec on radio": lambda data: write_yes(data / "yes_small"),
    "Three stages, as taught": lambda data: write_million_song(data / "million-song"),
}
"""Heading of each system -> what writes its data."""
MELON = ["data.strict=false", "data.unplayed=true", "k_core.items=1", "split.test=0.2"]
SPACE = ["dim=16", "epochs=5", "min_count=2", "repeat.user=2"]
SPACE += [] if importlib.util.find_spec("kiwipiepy") else ["tokenizer.use=words"]
LIBRARIES = {"morphemes": "kiwipiepy", "SentencePiece": "sentencepiece", "LightFM": "lightfm"}
"""Word of an ability -> the library without which its row is left out."""
SMALL = {
    "published/melonrec-w2v": [
        *MELON,
        *(f"components.space.{key}" for key in SPACE),
    ],
    "published/melon-autoencoder": [
        *MELON,
        *(f"components.autoencoder.{key}" for key in ("epochs=5", "hidden=16", "min_users=1")),
    ],
    "published/melon-audio": [*MELON[:2], "split.test=0.2", "components.latent.hidden=16"],
    "melon-audio": [*MELON[:2], "split.test=0.2", "components.als.factors=8", "components.latent.hidden=16"],
    "published/spotify-skip-gram": ["components.word2vec.epochs=5", "split.test=0.2"],
    "published/song2vec": [
        "split.test=40",
        "components.song2vec.epochs=5",
        "components.song2vec.dim=16",
    ],
    "published/three-stage": ["components.wmf.factors=8", "components.titles.epochs=2"],
    "melon": [*MELON[:2], "split.test=0.2", "components.als.factors=8"],
    "million-song": ["components.als.factors=8", "components.wmf.factors=8"],
    "song2vec": [
        "split.test=40",
        "split.validation=40",
        "components.song2vec.epochs=2",
        "components.word2vec.epochs=5",
    ],
    "wmf": ["data.min_items=20", "components.wmf-descent.iterations=5"],
    "explicit-ratings": ["k_core.items=20", "components.by-descent.iterations=5"],
}
"""Config -> what makes it small enough for data that is."""
RATINGS = "item,rating\nRainy Song 2,1\nRainy Song 4,0.5\nSOECCBC87E4B5CE2FE,0\n"
"""The song with the id is Highway Song 3."""
TOO_HIGH = "item,rating\nRainy Song 2,1.4\n"


class Row(NamedTuple):
    """A row of a table: a command of a system, and what is to be seen in its output or files."""

    ability: str
    command: str
    result: str

    @property
    def runs_here(self) -> bool:
        """True if the library that the ability needs is installed."""
        needed = [library for word, library in LIBRARIES.items() if word in self.ability]
        return all(importlib.util.find_spec(library) for library in needed)

    @property
    def codes(self) -> list[tuple[str, bool]]:
        """Each `code` of the result, with False if it stands behind "without" and must not be seen."""
        return [(code, not denied) for denied, code in re.findall(r"(without )?`([^`]+)`", self.result)]


def tables() -> dict[str, list[Row]]:
    """Heading -> rows, of every section with a table of commands."""
    sections = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    rows_below = {}
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        _, head, below = text.partition(HEAD)
        if head:
            lines = below.partition("\n\n")[0].splitlines()
            rows_below[heading] = [Row(*(cell.strip() for cell in line.strip("|").split(" | "))) for line in lines]
    return rows_below


def small(words: list[str]) -> list[str]:
    """The words of a command with assignments that make its config small; those on the page come last."""
    config = next((word for word in words if word.startswith("configs/")), None)
    if words[1:2] not in (["run"], ["check"]) or config is None:
        return words
    name = config.removeprefix("configs/").removesuffix(".yaml")
    sets = [*SMALL[name], "compare.resamples=100", "workers=1"]
    place = words.index(config) + 1
    return [*words[:place], *(word for assignment in sets for word in ("--set", assignment)), *words[place:]]


def as_read(page: Path) -> str:
    """The text of a page of a run, without its tags."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")))


def test_the_five_systems_come_first_and_have_their_tables() -> None:
    assert list(tables()) == list(DATA)
    assert all(rows for rows in tables().values())


@pytest.mark.parametrize("system", DATA)
def test_rows_of_a_system_differ_and_say_what_is_seen(system: str) -> None:
    rows = tables()[system]
    assert len({row.ability for row in rows}) == len({(row.command, row.result) for row in rows}) == len(rows)
    assert all(any(seen for _, seen in row.codes) for row in rows)


NAMED = sorted({*SMALL, *re.findall(r"`(published/[\w-]+)`", PAGE.read_text(encoding="utf-8"))})
"""The configs that the page runs, or says to be as published."""


@pytest.mark.parametrize("name", NAMED)
def test_configs_of_the_page_are_shipped_and_can_be_made_small(name: str) -> None:
    words = ["components.space.tokenizer.use=words"] if name == "published/melonrec-w2v" else []
    assert load_experiment(ROOT / "configs" / f"{name}.yaml", Registry(), (*SMALL[name], *words))


@pytest.mark.slow
@pytest.mark.parametrize("system", DATA)
def test_every_command_of_a_system_shows_what_the_page_says(system, tmp_path, monkeypatch, capsys) -> None:
    from hybridrec.cli import hybridrec

    for library in ("gensim", "implicit", "sklearn"):
        pytest.importorskip(library)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    DATA[system](tmp_path / "data")
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "above-one.csv").write_text(TOO_HIGH)
    if (tmp_path / "data" / "million-song").exists():
        write_later_plays(tmp_path / "data" / "million-song", tmp_path / "plays-of-today.txt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    for row in filter(lambda row: row.runs_here, tables()[system]):
        words = small([*words_of(row.command.strip("`"))])
        if words[0] == "hybridrec":
            refused = ""
            try:
                hybridrec.main(words[1:], standalone_mode=False)
            except HybridrecError as error:
                refused = str(error)
            told = "".join(capsys.readouterr())
            pages = [Path(line) for line in told.splitlines() if line.endswith("report.html")]
            told += refused + "".join(map(as_read, pages))
            assert bool(refused) == ("refused" in row.ability), f"{row.command}: {refused or told}"
        else:
            assert words[:2] == ["python", "-m"], row.command
            told = call(*words[2:], cwd=tmp_path)
        told = re.sub(r"\s+", " ", told)
        for code, seen in row.codes:
            assert (code in told) == seen, f"{row.command} {'does not show' if seen else 'shows'} {code}:\n{told}"
