"""Autoencoders with one hidden layer, trained in numpy: items and tags, and the audio of items with their tags."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_autoencoder.audio_tags import AudioTagAutoencoder
    from hybridrec_autoencoder.denoising import DenoisingAutoencoder

    return [DenoisingAutoencoder, AudioTagAutoencoder]
