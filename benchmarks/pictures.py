"""Screenshots of report.html for the README and the docs: light, dark, and on a phone.

pip install -e '.[models,docs,map]'     # and chromium
hybridrec run configs/quickstart.yaml --set 'compare.guardrails={coverage@20: 0.05, diversity@20: 0.02}'
hybridrec map runs/quickstart-* word2vec && hybridrec report runs/quickstart-* --no-open
python benchmarks/pictures.py runs/quickstart-*
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from hybridrec.reporting.page import write
from hybridrec.runs.run import Run

DOCS = Path(__file__).resolve().parent.parent / "docs"
PICTURES = {"light": (1100, 2300, ()), "dark": (1100, 2300, ("--force-dark-mode",)), "phone": (390, 2300, ())}
"""Name -> width and height in pixels, and options of the browser."""
COLOURS = 96
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main(folder: str) -> None:
    """Write `docs/report-NAME.png` of a finished run."""
    if BROWSER is None:
        sys.exit("needs chromium (Debian: apt-get install chromium)")
    page = write(Run.open(folder))
    for name, (width, height, options) in PICTURES.items():
        path = DOCS / f"report-{name}.png"
        take(page, width, height, options).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size // 1000} kB")


def take(page: Path, width: int, height: int, options: tuple[str, ...]) -> Image.Image:
    """Take a picture of the top of the page, in a frame because a browser's window cannot be as narrow as a phone."""
    with tempfile.TemporaryDirectory() as folder:
        frame, shot = Path(folder) / "frame.html", Path(folder) / "shot.png"
        frame.write_text(
            f'<!doctype html><body style="margin:0"><iframe src="{page.resolve().as_uri()}" width="{width}" '
            f'height="{height}" style="border:0"></iframe>',
            encoding="utf-8",
        )
        command = [
            str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            f"--user-data-dir={folder}/profile", f"--screenshot={shot}", f"--window-size={max(width, 600)},{height}",
            "--virtual-time-budget=3000", *options, frame.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with Image.open(shot) as image:
            return (
                image.convert("RGB")
                .crop((0, 0, width, height))
                .quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
