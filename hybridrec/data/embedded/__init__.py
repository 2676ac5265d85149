"""Two open data sets that come with the package; README.md in this folder names their sources and licences."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
"""The folder of the Parquet files and their licences."""
