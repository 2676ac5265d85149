"""Modules of the three stages that are loaded on first use."""

from . import kernels as kernels
