"""The public module of the data layer."""

from . import reading as reading
