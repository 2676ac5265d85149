"""Inference: assemble pipelines on fitted components, and send batches of queries through them."""
