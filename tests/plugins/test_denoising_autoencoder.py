"""The denoising autoencoder keeps its contract, has right gradients, and completes one field from the other."""

import numpy as np
import pytest

import hybridrec_autoencoder
from hybridrec.testing import ComponentContract
from hybridrec_autoencoder.denoising import DenoisingAutoencoder


class TestDenoisingAutoencoder(ComponentContract):
    component = DenoisingAutoencoder
    configs = [
        {"hidden": 16, "epochs": 60, "batch": 16},
        {"hidden": 8, "epochs": 40, "batch": 7, "learning_rate": 0.01, "weights": "log", "min_users": 1, "hide_field": 1, "dropout": 0},
    ]
    learns_the_checkerboard = ("items", "tags")


class TestDenoisingAutoencoderOfItems(ComponentContract):
    component = DenoisingAutoencoder
    configs = [{"hidden": 16, "epochs": 60, "batch": 16, "tag_weight": 0}]
    learns_the_checkerboard = ("items",)
