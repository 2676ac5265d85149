"""Two open data sets that come with the package; README.md beside this file says whose they are."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the Parquet files and their licences lie."""
