"""A network with hidden layers, and its training by Adam in mini-batches.

    h = tanh(x V + c)        hidden, H wide, as often as there are layers; the first x is dense or sparse
    y = h W + b              outputs

Gradients are those of a loss averaged over the rows of a batch. Adam (Kingma and Ba 2015) with decoupled
weight decay (Loshchilov and Hutter 2019), which shrinks V and W, not the biases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Self, TypeAlias

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, Longs, Options, Sparse, State

Corrupt: TypeAlias = "Callable[[Longs], Sparse | Floats]"
"""Function from the numbers of rows to their corrupted inputs, [B, inputs], drawn independently at each call."""
Loss: TypeAlias = Callable[[Floats, Longs], float]
"""Function from outputs, float32 [B, outputs], and the numbers of their rows to the sum of the loss over these rows; it
overwrites the outputs with the gradient."""


class TrainingOptions(Options):
    """Options for training a network: the epochs, the batches, the learning rate and the decay of weights."""

    epochs: int = Field(60, ge=1, le=1_000_000)
    """Passes over the training rows."""
    batch: int = Field(64, ge=1)
    """Number of rows in a mini-batch."""
    learning_rate: float = Field(0.005, gt=0)
    """Adam's step size; it falls to a tenth along half a cosine over the epochs."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay: a step with learning rate r multiplies weights, but not biases, by 1 - r times this."""


@dataclass(frozen=True, slots=True)
class Network:
    """Parameters of L hidden layers and the outputs.

    weights: float32 [inputs, H1] · [H1, H2] · ... · [HL, outputs]
    biases: float32 [H1] · ... · [outputs]
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]

    @classmethod
    def random(cls, widths: Sequence[int], rng: np.random.Generator) -> Self:
        """Draw weights from inputs to outputs uniformly within the bounds of Glorot and Bengio (2010); biases are 0.

        `widths` are those of the inputs, of each hidden layer, and of the outputs.
        """
        weights = tuple(
            (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(np.sqrt(6 / sum(shape)))
            for shape in pairwise(widths)
        )
        return cls(weights, tuple(np.zeros(width, np.float32) for width in widths[1:]))

    def layers(self, rows: Sparse | Floats) -> list[Floats]:
        """Compute the values of each hidden layer, float32 [rows, H], the first one first."""
        values: list[Floats] = []
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values.append(np.tanh((values[-1] if values else rows) @ weights + bias))
        return values

    def hidden(self, rows: Sparse | Floats) -> Floats:
        """Compute the last hidden layer of each row: float32 [rows, HL]."""
        return self.layers(rows)[-1]

    def outputs(self, hidden: Floats) -> Floats:
        """Compute y of each row of the last hidden layer: float32 [rows, outputs]."""
        result = hidden @ self.weights[-1]
        result += self.biases[-1]
        return result

    def gradients(self, inputs: Sparse | Floats, layers: Sequence[Floats], slopes: Floats) -> list[Floats]:
        """Return the gradients of the loss with respect to the parameters, in their order.

        `layers` are the values of the hidden layers, float32 [B, H] each; `slopes`, float32 [B, outputs], is the
        gradient with respect to the outputs.
        """
        weights, biases = [], []
        for below, weight in zip([*layers[::-1], inputs], self.weights[::-1], strict=True):
            weights.append(below.T @ slopes)
            biases.append(slopes.sum(axis=0))
            if below is not inputs:
                slopes = (slopes @ weight.T) * (1 - below**2)
        return [*weights[::-1], *biases[::-1]]

    @property
    def parameters(self) -> list[Floats]:
        """The arrays themselves, not copies: all weights, then all biases."""
        return [*self.weights, *self.biases]

    def state(self) -> State:
        """Return the arrays by name and layer."""
        named = {"weights": self.weights, "biases": self.biases}
        return {f"{name}.{layer}": array for name, arrays in named.items() for layer, array in enumerate(arrays)}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Rebuild the network from the arrays of `state`."""
        layers = range(sum(name.startswith("weights.") for name in state))
        return cls(*(tuple(state[f"{name}.{layer}"] for layer in layers) for name in ("weights", "biases")))


class Adam:
    """Adam's steps on a list of arrays, which change in place; weights decay only in matrices, not in vectors."""

    def __init__(self, parameters: list[Floats], weight_decay: float) -> None:
        """Take the arrays to update."""
        self._parameters = parameters
        self._decay = weight_decay
        self._means = [np.zeros_like(parameter) for parameter in parameters]
        self._squares = [np.zeros_like(parameter) for parameter in parameters]
        self._steps = 0

    def step(self, gradients: list[Floats], rate: float, beta1: float = 0.9, beta2: float = 0.999) -> None:
        """Take one step against these gradients, which are overwritten."""
        self._steps += 1
        rate_now = np.float32(rate * np.sqrt(1 - beta2**self._steps) / (1 - beta1**self._steps))
        arrays = zip(self._parameters, gradients, self._means, self._squares, strict=True)
        for parameter, gradient, mean, square in arrays:
            mean += (gradient - mean) * np.float32(1 - beta1)
            np.square(gradient, out=gradient)
            square += (gradient - square) * np.float32(1 - beta2)
            np.sqrt(square, out=gradient)
            gradient += np.float32(1e-8)
            np.divide(mean, gradient, out=gradient)
            gradient *= rate_now
            if parameter.ndim > 1:
                parameter *= np.float32(1 - rate * self._decay)
            parameter -= gradient


def train(
    network: Network,
    rows: int,
    corrupt: Corrupt,
    loss: Loss,
    options: TrainingOptions,
    epochs: int,
    rng: np.random.Generator,
) -> Iterator[float]:
    """Train the network in place on rows 0 to `rows` - 1; yield the mean loss of each epoch when it is done.

    The learning rate falls over `epochs`, which replaces `options.epochs`.
    """
    adam = Adam(network.parameters, options.weight_decay)
    for epoch in range(epochs):
        mean = 0.0
        rate = options.learning_rate * (0.55 + 0.45 * np.cos(np.pi * epoch / epochs))
        order = rng.permutation(rows)
        for start in range(0, rows, options.batch):
            here = order[start : start + options.batch]
            inputs = corrupt(here)
            layers = network.layers(inputs)
            slopes = network.outputs(layers[-1])
            mean += loss(slopes, here) / rows
            slopes /= len(here)
            adam.step(network.gradients(inputs, layers, slopes), rate)
        yield mean


def reported(losses: Iterator[float], epochs: int, report: Callable[..., None]) -> Doubles:
    """Run `epochs` epochs and return their losses, float64 [epochs]; each is reported when its epoch is done."""
    done = np.zeros(epochs)
    for epoch, loss in enumerate(islice(losses, epochs)):
        done[epoch] = loss
        report(epoch + 1, epochs, loss=loss)
    return done
