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

#: Files of more than half a minute where three run at a time, the longest first: workers take files in this
#: order, and end together. Only the order matters.
LONG = (
    "cli/test_cli.py",
    "serve/test_page.py",
    "train/test_training.py",
    "serve/test_operations.py",
    "scale/test_ray.py",
    "two_tower/test_recipes.py",
    "serve/test_page_goods.py",
    "two_tower/test_tune.py",
    "scale/test_prepare.py",
    "two_tower/test_notebook_numbers.py",
    "house/test_docs.py",
    "report/test_report.py",
    "train/test_order.py",
    "train/test_history.py",
    "two_tower/test_elsewhere.py",
    "data/test_tables.py",
    "serve/test_service.py",
    "cli/test_said.py",
    "events/test_store_killed.py",
    "model/test_native.py",
    "model/test_losses.py",
    "serve/test_page_ranked.py",
    "evaluate/test_verdict.py",
    "serve/test_storm.py",
)
if MADE_HERE:
    os.environ[COMPILED] = tempfile.mkdtemp(prefix="butaca-jax-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

#: Here nearly all time is compiling. XLA's older code for fused loops, in one piece, is compiled in less than
#: half the time, and in half of that where little is optimised, here and in processes that tests start.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def pytest_unconfigure() -> None:
    if MADE_HERE:
        shutil.rmtree(os.environ[COMPILED], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file, and of all others, the order stays."""
    place = {name: n for n, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get("/".join(item.path.parts[-2:]), len(LONG)))


settings.register_profile(
    "butaca", deadline=None, max_examples=50
)  # files run at the same time: a slow example says nothing; each run draws other examples
settings.load_profile("butaca")


@pytest.fixture(scope="module")
def optimised() -> Iterator[None]:
    """XLA optimises as it does for users: for files that show whole results and bits."""
    import jax

    before = jax.config.values["jax_disable_most_optimizations"]
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="session", autouse=True)
def _quick_panel() -> None:
    """The panel's iALS takes two rounds, no search: many tests judge, and few look at its figures."""
    from butaca.baselines import tuned

    tuned.STRENGTHS = (6.0,)
    tuned.DIMS, tuned.EPOCHS, tuned.TRIAL_EPOCHS = (16, 16), 2, 1


@pytest.fixture(scope="session")
def board() -> Dataset:
    return checkerboard()


@pytest.fixture(scope="session")
def ml() -> Dataset:
    """MovieLens 100K, movies by id."""
    from butaca.data.movielens.load import load_movielens

    return load_movielens("100k")


@pytest.fixture(scope="session")
def ml_split(ml: Dataset) -> tuple[Dataset, Dataset]:
    """The notebook's split, movies by title."""
    return random_split(ml.keyed_by("movie_title"), test_share=0.2, seed=42)
