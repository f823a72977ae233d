"""This module says which extra of butaca a missing optional library comes with."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from butaca.errors import SettingError

#: The libraries of each extra in pyproject.toml that butaca imports, by the name of their module.
EXTRAS = {
    "serve": (
        "alembic",
        "fastapi",
        "httptools",
        "orjson",
        "prometheus_client",
        "sqlalchemy",
        "starlette",
        "structlog",
        "uvicorn",
        "uvloop",
    ),
    "rank": ("lightgbm",),
    "postgres": ("psycopg",),
    "tune": ("optuna",),
    "native": ("llvmlite",),
    "client": ("httpx",),
    "export": ("onnx", "qdrant_client"),
    "ann": ("faiss",),
    "ray": ("ray",),
}


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Turns a missing library of an extra into an error that says what to install.

    >>> with needed("The approximate index"):
    ...     raise ModuleNotFoundError("No module named 'faiss'", name="faiss")
    Traceback (most recent call last):
        ...
    butaca.errors.SettingError: The approximate index needs the extra ann. Received: a Python without faiss. \
Install it: pip install 'butaca[ann]'.

    Args:
        what: the feature or the command that needs it, as the beginning of a sentence.

    Raises:
        SettingError: the body imports a library of an extra, and it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        for extra, modules in EXTRAS.items():
            if module in modules:
                raise SettingError(
                    f"{what} needs the extra {extra}",
                    f"a Python without {module}",
                    f"Install it: pip install 'butaca[{extra}]'",
                ) from error
        raise


def installed(module: str) -> bool:
    """Says whether a library can be imported, without importing it.

    >>> installed("json"), installed("no_such_library")
    (True, False)
    """
    return importlib.util.find_spec(module) is not None


def require(module: str, what: str) -> None:
    """Checks that a library of an extra can be imported, without importing it.

    Raises:
        SettingError: it is not installed; as `needed`.
    """
    if not installed(module):
        with needed(what):
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
