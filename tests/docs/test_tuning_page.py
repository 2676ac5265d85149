"""The page about tuning is true: its config is tuned by its commands, and what it names exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridrec.tuning import study_dir as folder
from tests.docs.markdown import ROOT, blocks, marked

PAGE = ROOT / "docs" / "tuning.md"


def test_the_commands_on_the_page_tune_its_config(tmp_path: Path, succeed):
    pytest.importorskip("optuna")
    (tmp_path / "tuned.yaml").write_text(marked(PAGE, "run"), encoding="utf-8")
    printed = succeed("tune", "tuned.yaml", "--trials", "3", cwd=tmp_path)
    assert "Best of 3 trials" in printed
    (best,) = tmp_path.glob("runs/tuned-tune-*/best.yaml")
    assert "report.html" in succeed("run", best, cwd=tmp_path)


def test_the_page_has_one_config_and_names_every_file():
    assert [mark for language, mark, _ in blocks(PAGE) if language == "yaml"] == ["run"]
    text = PAGE.read_text(encoding="utf-8")
    for name in (folder.BEST, folder.TRIALS, folder.IMPORTANCE, folder.CONFIG, folder.TUNING):
        assert f"`{name}`" in text
