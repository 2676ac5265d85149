"""A network of one hidden layer, and its training by Adam in mini-batches.

    h = tanh(x V + c)        hidden, H wide; x is dense or sparse
    y = h W + b              outputs

Gradients are those of a loss averaged over the rows of a batch. Adam (Kingma and Ba 2015) with decoupled
weight decay (Loshchilov and Hutter 2019), which shrinks V and W, not the biases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from typing import Self, TypeAlias

import numpy as np
from pydantic import Field

from hybridrec import Doubles, Floats, Longs, Options, Sparse, State

Corrupt: TypeAlias = "Callable[[Longs], Sparse | Floats]"
"""Corruption: the inputs of the given rows, [B, inputs], drawn independently at each call."""
Loss: TypeAlias = Callable[[Floats, Longs], float]
"""Loss: its sum over the given rows; it overwrites the outputs, float32 [B, outputs], with the gradient."""


class TrainingOptions(Options):
    """Options for training a network."""

    hidden: int = Field(200, ge=1)
    """Width of the hidden layer."""
    epochs: int = Field(60, ge=1)
    """Passes over the training rows."""
    batch: int = Field(64, ge=1)
    """Number of rows in a mini-batch."""
    learning_rate: float = Field(0.005, gt=0)
    """Adam's step size; it falls to a tenth along half a cosine over the epochs."""
    weight_decay: float = Field(0.01, ge=0)
    """Decoupled weight decay: in a step of learning rate r, weights shrink by 1 - r times this; biases do not."""


@dataclass(frozen=True, slots=True)
class Network:
    """Parameters of a network.

    encoder: V, float32 [inputs, H]
    shift: c, float32 [H]
    decoder: W, float32 [H, outputs]
    bias: b, float32 [outputs]
    """

    encoder: Floats
    shift: Floats
    decoder: Floats
    bias: Floats

    @classmethod
    def random(cls, inputs: int, hidden: int, outputs: int, rng: np.random.Generator) -> Self:
        """Draw weights uniformly within the bounds of Glorot and Bengio (2010); biases are 0."""
        bounds = np.sqrt(6 / (inputs + hidden)), np.sqrt(6 / (hidden + outputs))
        shapes = (inputs, hidden), (hidden, outputs)
        encoder, decoder = (
            (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(bound)
            for shape, bound in zip(shapes, bounds, strict=True)
        )
        return cls(encoder, np.zeros(hidden, np.float32), decoder, np.zeros(outputs, np.float32))

    def hidden(self, rows: Sparse | Floats) -> Floats:
        """Compute h of each row: float32 [rows, H]."""
        return np.tanh(rows @ self.encoder + self.shift)

    def outputs(self, hidden: Floats) -> Floats:
        """Compute y of each row of hidden values: float32 [rows, outputs]."""
        result = hidden @ self.decoder
        result += self.bias
        return result

    def gradients(self, inputs: Sparse | Floats, hidden: Floats, slopes: Floats) -> list[Floats]:
        """Return the gradients of the loss with respect to the parameters, in their order.

        `slopes`, float32 [B, outputs], is the gradient with respect to the outputs.
        """
        before = (slopes @ self.decoder.T) * (1 - hidden**2)
        return [inputs.T @ before, before.sum(axis=0), hidden.T @ slopes, slopes.sum(axis=0)]

    @property
    def parameters(self) -> list[Floats]:
        """The four arrays themselves, not copies."""
        return [getattr(self, field.name) for field in fields(self)]

    def state(self) -> State:
        """Return the four arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def restore(cls, state: State) -> Self:
        """Rebuild the network from the four arrays of `state`."""
        return cls(**{field.name: state[field.name] for field in fields(cls)})


class Adam:
    """Adam: steps on a list of arrays, in place; weights decay in matrices, but not in vectors."""

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
    """Train the network in place on rows 0 to `rows`; yield the mean loss of each epoch when it is done.

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
            hidden = network.hidden(inputs)
            slopes = network.outputs(hidden)
            mean += loss(slopes, here) / rows
            slopes /= len(here)
            adam.step(network.gradients(inputs, hidden, slopes), rate)
        yield mean


def reported(losses: Iterator[float], epochs: int, report: Callable[..., None]) -> Doubles:
    """Run `epochs` epochs and return their losses, float64 [epochs]; each is reported when its epoch is done."""
    done = np.zeros(epochs)
    for epoch, loss in enumerate(islice(losses, epochs)):
        done[epoch] = loss
        report(epoch + 1, epochs, loss=loss)
    return done
