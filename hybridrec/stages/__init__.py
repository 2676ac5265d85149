"""The three stages: components, pools, pipelines, and the array kernels under them."""
