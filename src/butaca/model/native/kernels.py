"""This module compiles machine code for this processor, once a process and size, and calls it from JAX."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from butaca.cores import cores

if TYPE_CHECKING:
    from butaca.model.native.passes import Tiles

LOG2_E = float(np.log2(np.e))
LOG_2 = float(np.log(2.0))


def fitting() -> Tiles | None:
    """Returns the tiles for this processor; None where it has neither AVX-512 nor AVX2."""
    from llvmlite import binding

    from butaca.model.native.passes import NARROW, WIDE

    has = binding.get_host_cpu_features()
    if has.get("avx512f"):
        return WIDE
    return NARROW if has.get("avx2") and has.get("fma") else None


@dataclass(frozen=True)
class NativeKernels:
    """Holds what is compiled, as functions of arrays on the CPU; float32 alone.

    Attributes:
        name: what XLA knows them by.
        dim: floats of a vector as they are given; `padded` as they are multiplied.
        panel: queries of a panel.
        parts: of the catalogue.
    """

    name: str
    dim: int
    padded: int
    panel: int
    parts: int

    def sums(self, queries: Array, candidates: Array, added: Array) -> tuple[Array, Array]:
        """Returns each query's largest logit and its sum of exponentials relative to it, [Q] each.

        Args:
            queries: [Q, d].
            candidates: [C, d].
            added: a term of each candidate [C]; -inf leaves it out.
        """
        n = queries.shape[0]
        across, _ = self._panels(queries)
        shape = (self.parts, across.shape[0] * self.panel)
        given = (across, self._wide(candidates), added * LOG2_E)
        largest, total = self._call("sums", [shape, shape], given)
        top = largest.max(axis=0)
        summed = (total * jnp.exp2(largest - top)).sum(axis=0)
        return top[:n] * LOG_2, summed[:n]

    def grads(
        self, queries: Array, candidates: Array, added: Array, shift: Array
    ) -> tuple[Array, Array, Array]:
        """Returns p times candidates [Q, d], p^T times queries [C, d], p's sums [C]; p = exp(logit + shift).

        Args:
            queries: [Q, d].
            candidates: [C, d].
            added: a term of each candidate [C]; -inf leaves it out.
            shift: a term of each query [Q]; -inf leaves it out.
        """
        n = queries.shape[0]
        across, padded = self._panels(queries)
        shifts = jnp.pad(shift * LOG2_E, (0, padded.shape[0] - n), constant_values=-jnp.inf)
        wide = self._wide(candidates)
        shapes = [(self.parts, *padded.shape), wide.shape, added.shape]
        given = (across, padded, wide, added * LOG2_E, shifts)
        d_queries, d_candidates, d_added = self._call("grads", shapes, given)
        # Term by term, which XLA makes one loop of: a sum over the axis takes it ten times as long.
        of_queries = functools.reduce(jnp.add, d_queries)
        return of_queries[:n, : self.dim], d_candidates[:, : self.dim], d_added

    def add_rows(self, rows: Array, to: Array, source: Array, weight: Array, table: Array) -> Array:
        """Returns the rows, weight[p] table[source[p]] added to row to[p] for each p in order, [n, d].

        Args:
            rows: [n, d], where d is a multiple of what a vector holds: `padded` equals `dim`.
            to: row of each pair [P]; one out of range adds nothing.
            source: row of the table of each pair [P]; one out of range is the nearest.
            weight: of each pair [P]; where it is zero, nothing is added.
            table: [m, d].
        """
        source = jnp.clip(source.astype(jnp.int32), 0, table.shape[0] - 1)
        given = (rows, to.astype(jnp.int32), source, weight, table)
        return self._call("rows", [rows.shape], given, {0: 0})[0]

    def check(self) -> None:
        """Calls every function on numbers enough for whole tiles and rests, outside of what JAX is tracing.

        Raises:
            RuntimeError: what they return is wrong.
            Exception: whatever XLA has against them.
        """
        rng = np.random.default_rng(0)
        n_queries, n_candidates = self.panel + 2, self.parts * 61
        queries, candidates, added = (
            rng.normal(size=size).astype(np.float32)
            for size in ((n_queries, self.dim), (n_candidates, self.dim), n_candidates)
        )
        queries /= np.float32(self.dim**0.5)
        added[::9] = -np.inf
        logits = queries @ candidates.T + added
        top = logits.max(axis=1)
        largest, total = _run(self.sums, queries, candidates, added)
        p = np.exp(logits - top[:, None])
        grads = _run(self.grads, queries, candidates, added, -top)
        wanted = [(largest, top), (total, p.sum(axis=1))]
        wanted += zip(grads, (p @ candidates, p.T @ queries, p.sum(axis=0)), strict=True)
        if self.padded == self.dim:
            to, source = rng.integers(0, n_candidates, 500), rng.integers(0, n_queries, 500)
            rows, weight = np.ones_like(candidates), rng.normal(size=500).astype(np.float32)
            (got,) = _run(lambda *x: [self.add_rows(*x)], rows, to, source, weight, queries)
            np.add.at(rows, to, weight[:, None] * queries[source])
            wanted.append((got, rows))
        if not all(np.allclose(got, want, rtol=1e-3, atol=1e-3) for got, want in wanted):
            raise RuntimeError("they return other numbers than numpy")

    def _wide(self, vectors: Array) -> Array:
        beyond = self.padded - self.dim
        return jnp.pad(vectors, ((0, 0), (0, beyond))) if beyond else vectors

    def _panels(self, queries: Array) -> tuple[Array, Array]:
        """Returns queries to base 2 [panels, d, panel], and as they are [panels x panel, d], zeros beyond."""
        n_panels = -(-queries.shape[0] // self.panel)
        padded = jnp.pad(self._wide(queries), ((0, n_panels * self.panel - queries.shape[0]), (0, 0)))
        across = (padded * LOG2_E).reshape(n_panels, self.panel, self.padded).transpose(0, 2, 1)
        return across, padded

    def _call(
        self,
        which: str,
        shapes: Sequence[tuple[int, ...]],
        given: tuple[Array, ...],
        in_place: dict[int, int] | None = None,
    ) -> list[Array]:
        for array in given:
            if array.dtype not in (jnp.float32, jnp.int32):
                raise TypeError(
                    f"Machine code reads float32 and int32, and {array.dtype} {array.shape} was given; "
                    "let XLA do it."
                )

        def like(*arrays: Array) -> list[Array]:  # on the mesh axes that what is given lies on
            number = sum(array.sum().astype(jnp.float32) for array in arrays)
            return [jnp.broadcast_to(number, shape) for shape in shapes]

        results = jax.eval_shape(like, *given)
        called: Any = jax.ffi.ffi_call(
            f"{self.name}_{which}", results, input_output_aliases=in_place, vmap_method="sequential"
        )
        return list(called(*given))


def _run(f: Any, *arrays: Any) -> list[Any]:
    """Calls f on arrays, compiled ahead, so that an outer trace doesn't see it."""
    done = jax.jit(f).lower(*arrays).compile()(*arrays)
    return [np.asarray(array) for array in done]


#: Compiled code lives as long as its engine, and XLA may call it as long as the process lives.
_engines: list[Any] = []


def compiled(dim: int, tiles: Tiles, threads: int | None = None) -> NativeKernels:
    """Compiles code for vectors of `dim` floats in such tiles, for `threads` or as many as cores."""
    from butaca.model.native.passes import PARTS

    padded = -(-dim // tiles.lanes) * tiles.lanes
    return NativeKernels(_registered(padded, tiles, threads or cores()), dim, padded, tiles.queries, PARTS)


@functools.cache
def _registered(dim: int, tiles: Tiles, threads: int) -> str:
    """Compiles the code, and returns the name that XLA knows it by."""
    from llvmlite import binding

    from butaca.model.native.handler import build

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(str(build(tiles, dim, threads)))
    module.verify()
    # LLVM would rather split vectors of 512 bits on some processors that have them.
    features = binding.get_host_cpu_features().flatten() + ",-prefer-256-bit"
    target = binding.Target.from_default_triple()
    machine = target.create_target_machine(cpu=binding.get_host_cpu_name(), features=features, opt=3)
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    _engines.append(engine)
    name = f"butaca_{dim}_{tiles.lanes}_{threads}"
    for which in ("sums", "grads", "rows"):
        handler = ctypes.CFUNCTYPE(ctypes.c_void_p)(engine.get_function_address(which))
        capsule = jax.ffi.pycapsule(handler)  # type: ignore[no-untyped-call]
        jax.ffi.register_ffi_target(f"{name}_{which}", capsule)
    return name
