"""This module is the one door to machine code: here it is decided whether native/ or XLA does the work.

    softmax_kernels   the tiled softmax's two passes (tiles.py)
    rows_kernels      sums of rows of a table (rows.py)

Each returns None where XLA is to do it: on another device or processor, without llvmlite, with numbers that
aren't float32, or where machine code isn't worth it. The sums are the same up to rounding.
"""

from __future__ import annotations

import functools
import platform
import sys
import threading
import warnings

import jax
import jax.numpy as jnp
from jax import Array

from butaca.model.native.kernels import NativeKernels, compiled, fitting

#: Pairs from which on machine code adds rows.
NATIVE_PAIRS = 1 << 14

#: Floats of all queries up to which machine code is used: it holds a gradient of their size for each part.
NATIVE_FLOATS = 1 << 20

#: XLA takes a name once: two threads that both compiled would be refused.
_one_at_a_time = threading.Lock()


def softmax_kernels(queries: Array, *others: Array) -> NativeKernels | None:
    """Returns the code for a softmax over these queries [Q, d] and other arrays; None where XLA does it."""
    single = all(array.dtype == jnp.float32 for array in (queries, *others))
    return native_kernels(queries.shape[1]) if single and queries.size <= NATIVE_FLOATS else None


def rows_kernels(n_pairs: int, rows: Array, *others: Array) -> NativeKernels | None:
    """Returns the code that adds weighted rows to these [n, d], by so many pairs; None where XLA does it."""
    if n_pairs < NATIVE_PAIRS or any(array.dtype != jnp.float32 for array in (rows, *others)):
        return None
    kernels = native_kernels(rows.shape[1])
    return kernels if kernels is not None and kernels.padded == kernels.dim else None


def native_kernels(dim: int) -> NativeKernels | None:
    """Returns the code for vectors of `dim` floats; None where it can't run, which is no error.

    It needs llvmlite (extra `native`), an x86-64 processor with AVX-512 or AVX2, Linux or macOS, and JAX's
    default device to be the CPU. It is compiled and tried once a process and size.
    """
    if jax.default_backend() != "cpu" or platform.machine().lower() not in ("x86_64", "amd64"):
        return None
    if sys.platform not in ("linux", "darwin"):
        return None
    with _one_at_a_time:
        return _for_this_machine(dim)


@functools.cache
def _for_this_machine(dim: int) -> NativeKernels | None:
    """Compiles the code and compares it with numpy; warns, and returns None, where they differ."""
    try:
        tiles = fitting()
        if tiles is None:
            return None
        kernels = compiled(dim, tiles)
        kernels.check()
    except ImportError:
        return None
    except Exception as error:  # a later XLA or LLVM that differs: slower, not wrong
        warnings.warn(f"Training runs without machine code of its own: {error}", RuntimeWarning, stacklevel=3)
        return None
    return kernels
