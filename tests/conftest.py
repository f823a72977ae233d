"""Data that many tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from butaca.data.dataset import Dataset
from butaca.data.splits import random_split
from tests.support.boards import checkerboard
from tests.support.postgres import database, postgres_server, store  # noqa: F401  (fixtures)

settings.register_profile(
    "butaca", deadline=None
)  # two files run at the same time: a slow example says nothing
settings.load_profile("butaca")


@pytest.fixture(scope="module")
def compiled_quickly() -> Iterator[None]:
    """XLA optimises little: for files that compile hundreds of variants and run each for a moment."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def board() -> Dataset:
    return checkerboard()


@pytest.fixture(scope="session")
def ml() -> Dataset:
    """MovieLens 100K, movies by id."""
    from butaca.data.movielens import load_movielens

    return load_movielens("100k")


@pytest.fixture(scope="session")
def ml_split(ml: Dataset) -> tuple[Dataset, Dataset]:
    """The notebook's split, movies by title."""
    return random_split(ml.keyed_by("movie_title"), test_share=0.2, seed=42)
