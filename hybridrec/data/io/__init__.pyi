"""The public module of file reading."""

from . import text_files as text_files
