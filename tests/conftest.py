"""Data that many tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from butaca.data.dataset import Dataset
from butaca.data.splits import random_split
from tests.support.boards import checkerboard
from tests.support.postgres import database, postgres_server, store  # noqa: F401  (fixtures)

#: What XLA has compiled in this run, for both workers and for the processes that tests start. A folder for
#: each run: JAX does not replace an entry that a killed process has half written.
COMPILED = "JAX_COMPILATION_CACHE_DIR"
MADE_HERE = COMPILED not in os.environ
if MADE_HERE:
    os.environ[COMPILED] = tempfile.mkdtemp(prefix="butaca-jax-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def pytest_unconfigure() -> None:
    if MADE_HERE:
        shutil.rmtree(os.environ[COMPILED], ignore_errors=True)


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
