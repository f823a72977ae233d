"""This module makes optimizers, one object for each, so that compiled steps are found again."""

from __future__ import annotations

import functools

import optax

from butaca.errors import SettingError


@functools.cache
def default_optimizer() -> optax.GradientTransformation:
    """Returns Adagrad 0.5, the notebook's; one object, so that its compiled step is found again."""
    return optax.adagrad(0.5)


@functools.cache
def make_optimizer(name: str, learning_rate: float, *, steps: int = 0) -> optax.GradientTransformation:
    """Returns an optax optimizer by name.

    Args:
        name: of it.
        learning_rate: its step size.
        steps: if above 0, the rate falls in a line to a fiftieth over so many.

    Raises:
        SettingError: optax has none of that name that takes a learning rate alone.
    """
    known = {"adagrad": optax.adagrad, "adam": optax.adam, "sgd": optax.sgd}
    if name not in known:
        raise SettingError("The optimizer is one of " + ", ".join(known), repr(name), "Correct the name")
    rate = optax.linear_schedule(learning_rate, learning_rate / 50, steps) if steps else learning_rate
    made: optax.GradientTransformation = known[name](rate)
    return made
