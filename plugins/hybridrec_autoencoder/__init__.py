"""Autoencoders trained in numpy: of items and tags, and of items' audio and tags."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """`denoising-autoencoder` and `audio-tag-autoencoder`."""
    from hybridrec_autoencoder.audio_tags import AudioTagAutoencoder
    from hybridrec_autoencoder.denoising import DenoisingAutoencoder

    return [DenoisingAutoencoder, AudioTagAutoencoder]
