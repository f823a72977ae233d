"""The softmax's machine code beside numpy in double precision, by both widths, and where it can't run."""

from __future__ import annotations

import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.model import kernels
from butaca.model.kernels import native_kernels, softmax_kernels
from butaca.model.native import passes
from butaca.model.native.kernels import NativeKernels, compiled, fitting
from butaca.model.native.passes import BLOCK, NARROW, PARTS, WIDE
from butaca.model.tiles import tiled_softmax

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64" or fitting() is None, reason="needs x86-64 with AVX2"),
    pytest.mark.usefixtures("optimised"),
]


@pytest.fixture
def fresh():
    """Nothing remembered of whether it runs, before and after."""
    kernels._for_this_machine.cache_clear()
    yield
    kernels._for_this_machine.cache_clear()


native_grad = jax.jit(jax.value_and_grad(lambda *x: tiled_softmax(None, *x), (0, 1, 2)))
xla_grad = jax.jit(jax.value_and_grad(lambda *x: tiled_softmax(None, *x), (0, 1, 2)))


def shapes():
    """Of vectors that this processor has."""
    return [WIDE, NARROW] if fitting() == WIDE else [NARROW]


def random_case(n_queries, n_candidates, dim, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    queries = rng.normal(size=(n_queries, dim)) * scale / dim**0.5
    candidates, added = rng.normal(size=(n_candidates, dim)), rng.normal(size=n_candidates)
    return tuple(x.astype(np.float32) for x in (queries, candidates, added))


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-5 * max(np.abs(want).max(), 1e-3))


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: f"{shape.lanes} lanes")
@pytest.mark.parametrize(
    ("n_queries", "n_candidates", "dim"),
    [
        (1, 1, 1),
        (2, PARTS - 1, 3),  # parts without a candidate
        (47, PARTS * BLOCK, 16),  # whole blocks alone
        (48, PARTS * BLOCK + 5, 64),
        (49, 1003, 72),  # a group of columns that is not whole
        (101, 2000, 200),
    ],
)
def test_equal_double_precision(shape, n_queries, n_candidates, dim):
    code = compiled(dim, shape)
    queries, candidates, added = random_case(n_queries, n_candidates, dim)
    added[1::7] = -np.inf
    logits = queries.astype(np.float64) @ candidates.T.astype(np.float64) + added
    largest, total = jax.jit(code.sums)(queries, candidates, added)
    close(largest, logits.max(axis=1))
    log_sum = logits.max(axis=1) + np.log(np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1))
    close(largest + np.log(total), log_sum)

    shift = (np.log(np.arange(n_queries) + 1.0) - log_sum).astype(np.float32)
    shift[1::3] = -np.inf
    p = np.exp(logits + shift[:, None])
    got = jax.jit(code.grads)(queries, candidates, added, shift)
    for g, w in zip(got, (p @ candidates, p.T @ queries, p.sum(axis=0)), strict=True):
        close(g, w)
    assert not np.asarray(got[0])[1::3].any()  # left out: exactly nothing
    assert not np.asarray(got[1])[1::7].any()


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: f"{shape.lanes} lanes")
def test_the_exponential_is_within_two_units_of_the_last_place(shape):
    # With one query of zeros, the gradient of a term is exp(term + shift).
    x = np.concatenate([np.linspace(-87, 60, 20_011), [0.0, -0.5, 1e-20, -86.9]]).astype(np.float32)
    code = compiled(8, shape)
    zeros = np.zeros((len(x), 8), np.float32)
    got = jax.jit(code.grads)(zeros[:1], zeros, x, np.zeros(1, np.float32))[2]
    # Its argument x log2(e) is rounded, and log2(e) is: |x| 2**-23 of the result, beside its own error.
    want = np.exp(x.astype(np.float64))
    error = np.abs(got - want) / want
    assert (error <= 2 * 2.0**-23 + np.abs(x) * 2.0**-23).all()
    below = np.array([-88.0, -1e4, -3e38, -np.inf], np.float32)
    got = jax.jit(code.grads)(zeros[:1], zeros[:4], below, np.zeros(1, np.float32))[2]
    assert not np.asarray(got).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 5.0]), st.integers(0, 100))
def test_loss_and_gradient_equal_xlas(seed, scale, padding):
    rng = np.random.default_rng(seed)
    queries, candidates, added = random_case(5, 150, 3, seed, scale)
    added[150 - padding :] = -np.inf
    query, slot = rng.integers(0, 4, 24), rng.integers(0, 150 - padding, 24)  # the last query has no positive
    weight = rng.integers(0, 3, 24).astype(np.float32)
    arguments = tuple(map(jnp.asarray, (queries, candidates, added, query, slot, weight)))
    got, got_grad = native_grad(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "native_kernels", lambda dim: None)
        want, want_grad = xla_grad(*arguments)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    for g, w in zip(got_grad, want_grad, strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-4, atol=1e-5)


def test_the_bits_do_not_depend_on_the_threads():
    queries, candidates, added = random_case(70, 3001, 20)
    shift = -np.ones(70, np.float32)
    got = []
    for threads in (1, 2, 5, 40):  # more threads than parts: as many as parts
        code = compiled(20, shapes()[0], threads)
        sums, grads = jax.jit(code.sums), jax.jit(code.grads)
        got.append([*sums(queries, candidates, added), *grads(queries, candidates, added, shift)])
    for other in got[1:]:
        for x, y in zip(got[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


def test_it_is_what_runs_where_it_can(monkeypatch):
    asked: list[int] = []

    def noted(dim):
        asked.append(dim)
        return native_kernels(dim)

    monkeypatch.setattr(kernels, "native_kernels", noted)
    arguments = [jnp.asarray(x) for x in random_case(4, 90, 6)]
    pairs = jnp.zeros(2, jnp.int32), jnp.zeros(2, jnp.int32), jnp.ones(2)
    text = jax.jit(lambda *x: tiled_softmax(None, *x, *pairs)).lower(*arguments).as_text()
    assert asked == [6]
    assert "butaca_" in text
    # Not where a gradient of all queries for each part would take the memory.
    monkeypatch.setattr(kernels, "NATIVE_FLOATS", 23)
    text = jax.jit(lambda *x: tiled_softmax(None, *x, *pairs)).lower(*arguments).as_text()
    assert "butaca_" not in text


@pytest.mark.parametrize("other", range(3), ids=["queries", "candidates", "terms"])
def test_other_precisions_are_xlas(other):
    arguments = [jnp.asarray(x) for x in random_case(4, 90, 6)]
    arguments[other] = arguments[other].astype(jnp.bfloat16)
    pairs = jnp.zeros(2, jnp.int32), jnp.zeros(2, jnp.int32), jnp.ones(2)
    assert softmax_kernels(*arguments) is None
    if other == 1:  # which XLA's way takes as they are
        got = jax.jit(lambda *x: tiled_softmax(None, *x, *pairs))(*arguments)
        want = tiled_softmax(None, *(x.astype(jnp.float32) for x in arguments), *pairs)
        np.testing.assert_allclose(got, want, rtol=1e-4)
    code = compiled(6, shapes()[0])
    with pytest.raises(TypeError, match=r"reads float32 and int32, and bfloat16 \(.*was given"):
        code.sums(*arguments)


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: f"{shape.lanes} lanes")
@pytest.mark.parametrize("at", [0, 5, 100, 299])
@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFFFFFFF])
def test_what_is_not_a_number_does_not_become_one(shape, at, bits):
    queries, candidates, added = random_case(3, 300, 8)
    code = compiled(8, shape)
    added[at] = np.array([bits], np.uint32).view(np.float32)[0]
    largest, total = jax.jit(code.sums)(queries, candidates, added)
    assert np.isnan(largest + jnp.log(total)).all()
    shift = np.array([0.0, np.array([bits], np.uint32).view(np.float32)[0], 0.0], np.float32)
    d_queries, d_candidates, d_added = jax.jit(code.grads)(queries, candidates, added, shift)
    assert np.isnan(d_queries).all()
    assert np.isnan(d_candidates).all()
    assert np.isnan(d_added).all()


def test_gradients_of_large_logits_are_as_exact_as_xlas():
    """A large shift is added once, at the end, not where a sum of rounded numbers starts."""
    rng = np.random.default_rng(0)
    queries, candidates, added = random_case(50, 3000, 64, scale=100.0)
    query, slot = rng.integers(0, 50, 400), rng.integers(0, 3000, 400)
    logits = queries.astype(float) @ candidates.T.astype(float) + added
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    want = np.bincount(query, minlength=50)[:, None] * p / p.sum(axis=1, keepdims=True)
    np.add.at(want, (query, slot), -1.0)
    want = want @ candidates
    got = native_grad(queries, candidates, added, query, slot, np.ones(400, np.float32))[1][0]
    assert np.abs(got - want).max() < 4e-5 * np.abs(want).max()


def test_threads_that_come_first_together_get_the_same_code(fresh):
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(native_kernels, [24] * 4))  # a size that nothing else compiles
    assert got[0] is not None
    assert all(one is got[0] for one in got)


def test_many_queries_one_after_another_by_vmap():
    one = [jnp.asarray(x) for x in random_case(4, 90, 6)]
    two = [jnp.asarray(x) for x in random_case(4, 90, 6, seed=1)]
    code = compiled(6, shapes()[0])
    largest, total = jax.vmap(code.sums)(*map(jnp.stack, zip(one, two, strict=True)))
    for i, each in enumerate((one, two)):
        for x, y in zip((largest[i], total[i]), code.sums(*each), strict=True):
            np.testing.assert_array_equal(x, y)


def test_without_llvmlite_xla_does_it():
    code = """
import sys
sys.modules["llvmlite"] = None
import jax, jax.numpy as jnp
from butaca.model.kernels import native_kernels
from butaca.model.tiles import tiled_softmax
assert native_kernels(2) is None
one = jnp.zeros(1, jnp.int32)
arguments = jnp.ones((1, 2)), jnp.eye(3, 2), jnp.zeros(3), one, one, jnp.ones(1)
print(float(jax.jit(lambda *x: tiled_softmax(None, *x))(*arguments)))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(np.log(2 * np.e + 1) - 1, rel=1e-6)


def test_wrong_numbers_are_noticed_and_said(monkeypatch, fresh):
    """Also where only whole tiles are wrong, or only one of the results."""
    right = passes._logits
    monkeypatch.setattr(passes, "_logits", lambda *x: right(*x) if len(x[-1]) == 1 else x[-1])
    with pytest.warns(RuntimeWarning, match="without machine code.*other numbers"):
        assert native_kernels(1001) is None  # a size that nothing else compiles


@pytest.mark.parametrize("which", range(3))
def test_one_wrong_gradient_is_noticed_and_said(monkeypatch, fresh, which):
    right = NativeKernels.grads
    wrong = [1.0] * which + [2.0] + [1.0] * (2 - which)
    monkeypatch.setattr(
        NativeKernels, "grads", lambda *x: [w * y for w, y in zip(wrong, right(*x), strict=True)]
    )
    with pytest.warns(RuntimeWarning, match="without machine code.*other numbers"):
        assert native_kernels(4) is None


def test_another_version_of_the_interface_is_noticed_and_said(monkeypatch, fresh):
    from butaca.model.native import handler

    monkeypatch.setattr(handler, "API", (99, 0))
    with pytest.warns(RuntimeWarning, match="without machine code.*version"):
        assert native_kernels(1100) is None  # a size that nothing else compiles


@pytest.mark.parametrize(
    ("where", "value"),
    [("platform.machine", "aarch64"), ("sys.platform", "win32"), ("jax.default_backend", "gpu")],
)
def test_elsewhere_xla_does_it(monkeypatch, where, value):
    module, name = where.split(".")
    found = value if module == "sys" else lambda: value
    monkeypatch.setattr(getattr(kernels, module), name, found)
    assert native_kernels(6) is None


def test_a_processor_without_avx2_has_none(monkeypatch, fresh):
    from llvmlite import binding

    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: {"sse2": True})
    assert native_kernels(6) is None


def test_narrow_vectors_where_the_processor_has_no_wide_ones(monkeypatch):
    from llvmlite import binding

    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: {"avx2": True, "fma": True})
    assert fitting() == NARROW
