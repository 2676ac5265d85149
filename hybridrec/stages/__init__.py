"""The three stages: components, pools, pipelines, and the array kernels under them."""

from hybridrec.stages import kernels as kernels
