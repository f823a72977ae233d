"""The approximate index: exact scores, filters that hold, k where k exist, lists that say what they are."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError
from butaca.index.approximate import ApproximateIndex
from butaca.index.codes import Codebook, placed
from butaca.index.exact import ExactIndex
from butaca.index.interface import Index
from butaca.index.scan import Scan
from butaca.model.pairs import PairTerms
from butaca.recommend.recommender import Recommender
from butaca.serve.registry import Registry
from tests.support.serving import asking, post, running_app


@pytest.fixture(scope="module", params=[1 << 19, 15_000], ids=["whole", "parts"])
def both(request):
    """Vectors of very different lengths, and a bias that matters; scanned at once, and in three parts."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((40_000, 16), dtype=np.float32) * rng.lognormal(0, 0.5, (40_000, 1))
    vectors, bias = drawn.astype(np.float32), rng.standard_normal(40_000, dtype=np.float32)
    return (
        ExactIndex(vectors, bias),
        ApproximateIndex(vectors, bias, part=request.param),
        rng.standard_normal((20, 16), np.float32),
    )


def test_nearly_the_exact_lists_with_exact_scores(both):
    exact, index, queries = both
    got, want = index.top_k(queries, 20), exact.top_k(queries, 20)
    shared = [len(set(a) & set(b)) / 20 for a, b in zip(got.items.tolist(), want.items.tolist(), strict=True)]
    assert np.mean(shared) >= 0.99
    assert got.approximate
    assert isinstance(index, Index)
    scores = np.take_along_axis(exact.scores(queries), got.items.astype(np.int64), axis=1)
    np.testing.assert_allclose(got.scores, scores, rtol=1e-4)
    assert (np.diff(got.scores, axis=1) <= 0).all()


def test_what_is_added_to_single_scores_is_found_and_counts(both):
    """An item that looks worst in four bits leads its list where a term lifts it, but for one left out."""
    exact, index, queries = both
    worst = exact.scores(queries[:2]).argsort(axis=1)[:, :3].astype(np.int32)
    row = np.array([0, 0, 0, 1])
    item = np.array([*worst[0], worst[1, 0]], dtype=np.int32)
    terms = PairTerms(row, item, np.array([400.0, 300.0, 200.0, 500.0], np.float32))
    left_out = [worst[0, :1], worst[1, 1:2]]
    got = index.top_k(queries[:2], 20, exclude=left_out, terms=terms)
    want = exact.top_k(queries[:2], 20, exclude=left_out, terms=terms)
    assert got.approximate
    assert got.items[0, :2].tolist() == worst[0, 1:].tolist() == want.items[0, :2].tolist()
    assert got.items[1, 0] == worst[1, 0]
    scores = np.take_along_axis(exact.scores(queries[:2], terms), got.items.astype(np.int64), axis=1)
    np.testing.assert_allclose(got.scores, scores, rtol=1e-4)
    np.testing.assert_allclose(index.scores(queries[:2], terms), exact.scores(queries[:2], terms), rtol=1e-4)
    allowed = np.zeros(len(exact), dtype=bool)
    allowed[worst[0]] = True  # few: the answer is exact
    few = index.top_k(queries[:1], 20, exclude=left_out[:1], allowed=allowed, terms=terms.rows(0, 1))
    assert few.items[0, :3].tolist() == [worst[0, 1], worst[0, 2], -1]
    assert not few.approximate


def test_parts_find_what_the_whole_finds():
    """Candidates of five parts, the last of one item alone, are those of one scan but for ties at the end."""
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((40_001, 16), dtype=np.float32)
    vectors[-1] = 100  # the last part's only item is everyone's best
    book = Codebook.fit(vectors, None, seed=0)
    codes, queries = book.codes(vectors, None), np.abs(rng.standard_normal((10, 16), dtype=np.float32))
    turned = book.turned(queries)
    whole, parts = Scan(book, codes).search(turned, 300), Scan(book, codes, part=10_000).search(turned, 300)
    assert parts.shape == (10, 300)
    for a, b in zip(whole, parts, strict=True):
        assert len(np.unique(b)) == 300
        assert len(np.intersect1d(a, b)) >= 295
        assert 40_000 in b
    few = Scan(book, codes, part=10_000).search(turned, 40_100)
    for row in few:
        assert (row < 0).sum() == 99
        np.testing.assert_array_equal(np.sort(row)[99:], np.arange(40_001))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-4, 0.01, 0.3, 0.9, 1.0]), st.integers(1, 110))
def test_filters_and_exclusions_hold_and_k_come_back(both, seed, share, k):
    """Codes answer where nine tenths may come back and k is small; other lists are the exact ones."""
    exact, index, queries = both
    rng = np.random.default_rng(seed)
    allowed = rng.random(len(index)) < share
    exclude = [rng.choice(len(index), 50), np.zeros(0, np.int64)]
    top = index.top_k(queries[:2], k, exclude=exclude, allowed=allowed)
    for row, out in enumerate(exclude):
        left = set(np.flatnonzero(allowed).tolist()) - set(out.tolist())
        items = top.items[row][top.items[row] >= 0].tolist()
        assert len(items) == len(set(items)) == min(k, len(left))
        assert set(items) <= left
        scores = exact.scores(queries[row : row + 1])[0, items]
        np.testing.assert_allclose(top.scores[row][: len(items)], scores, rtol=1e-4, atol=1e-5)
        assert (np.diff(top.scores[row][: len(items)]) <= 0).all()
    if share < 0.9 or k > 92:
        assert not top.approximate
    elif k <= 70:
        assert top.approximate
    if not top.approximate:
        assert (
            top.items.tolist() == exact.top_k(queries[:2], k, exclude=exclude, allowed=allowed).items.tolist()
        )


def test_a_filter_against_the_query_is_answered_exactly(both):
    """Only what scores low may come back, so none of what looks best is left."""
    exact, index, queries = both
    allowed = exact.scores(queries[:1])[0] < 0
    top = index.top_k(queries[:1], 10, exclude=None, allowed=allowed)
    assert not top.approximate
    assert top.items.tolist() == exact.top_k(queries[:1], 10, exclude=None, allowed=allowed).items.tolist()


def test_more_than_codes_can_tell_is_exact(both):
    exact, index, queries = both
    top = index.top_k(queries[:1], 2_000)
    assert not top.approximate
    assert top.items[0, :50].tolist() == exact.top_k(queries[:1], 50).items[0].tolist()


def test_levels_of_sixteen_values_are_the_values():
    values = np.arange(16, dtype=np.float32).repeat(3)
    assert placed(values).tolist() == list(range(16))


def test_turned_products_stay_what_they_were():
    rng = np.random.default_rng(1)
    vectors, bias = rng.standard_normal((50, 5), np.float32), rng.standard_normal(50, np.float32)
    book = Codebook.fit(vectors, bias, seed=0)
    assert book.codes(vectors, bias).shape == (50, 3)
    turned = np.concatenate([vectors, bias[:, None]], axis=1) @ book.rotation
    query = rng.standard_normal((1, 5), np.float32)
    np.testing.assert_allclose(turned @ book.turned(query)[0], vectors @ query[0] + bias, atol=1e-4)


def test_wrong_calls(both):
    with pytest.raises(SettingError, match="k=0"):
        both[1].top_k(both[2], 0)


def large():
    """Twenty thousand items: enough for codes to answer."""
    rng = np.random.default_rng(2)
    n = 20_000
    return Recommender(
        users=Entities("user_id", Vocabulary(np.arange(3))),
        items=Entities("item_id", Vocabulary(np.arange(n))),
        user_vectors=rng.standard_normal((4, 8), np.float32),
        item_vectors=rng.standard_normal((n, 8), np.float32),
        seen=Histories.from_pairs(np.arange(3, dtype=np.int32), np.arange(3, dtype=np.int32), n_users=3),
        popularity=np.ones(n, np.float32),
    )


def test_a_saved_model_answers_approximately_when_asked_and_says_so(tmp_path):
    """Its folder is the same either way."""
    given = large()
    given.save(tmp_path / "m")
    exact, near = (Recommender.load(tmp_path / "m", index) for index in ("exact", "approximate"))
    a, b = exact.recommend(1, 10), near.recommend(1, 10)
    assert (a.approximate, b.approximate) == (False, True)
    assert len({i.id for i in a.items} & {i.id for i in b.items}) >= 9
    assert near.version == exact.version
    with pytest.raises(SettingError, match="'annoy'"):
        replace(exact, index="annoy")  # type: ignore[arg-type]


def test_every_list_says_whether_it_may_miss_an_item(both):
    """A batch of one query that codes answer and one that they can't: the batch may miss an item."""
    _, index, queries = both
    scores = index.scores(queries[:1])[0]
    low = scores < np.quantile(scores, 0.8)  # a share that codes can answer, and none of what looks best
    assert not index.top_k(queries[:1], 10, exclude=None, allowed=low).approximate
    assert not index.top_k(np.zeros((0, 16), np.float32), 10).approximate
    assert index.top_k(-queries[:1], 10, exclude=None, allowed=low).approximate
    assert index.top_k(np.stack([queries[0], -queries[0]]), 10, exclude=None, allowed=low).approximate


def test_equal_scores_are_ordered_by_code():
    """Every vector stands there four times, so that scores come in fours."""
    rng = np.random.default_rng(3)
    vectors = np.tile(rng.standard_normal((5_000, 8), np.float32), (4, 1))
    top = ApproximateIndex(vectors).top_k(rng.standard_normal((3, 8), np.float32), 12)
    assert top.approximate
    for items, scores in zip(top.items.tolist(), top.scores.tolist(), strict=True):
        assert items == [i for _, i in sorted(zip((-s for s in scores), items, strict=True))]
        assert [i % 5_000 for i in items[::4]] == [i % 5_000 for i in items[3::4]]
        assert items[0] < items[1] < items[2] < items[3]


def test_without_faiss_the_cure_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(SettingError, match=r"pip install 'butaca\[ann\]'"):
        ApproximateIndex(np.eye(4, dtype=np.float32))


def test_one_item():
    query = np.ones((1, 2), np.float32)
    one = ApproximateIndex(np.ones((1, 2), np.float32)).top_k(query, 5)
    assert (one.items.tolist(), one.scores.tolist(), one.approximate) == ([[0]], [[2.0]], False)


def test_faiss_beside_jax_and_numpy_with_warnings_as_errors():
    """Three libraries with thread pools of their own, in a process that has seen none of them."""
    code = """
import numpy as np, jax.numpy as jnp
from butaca.index.approximate import ApproximateIndex
vectors = np.random.default_rng(0).standard_normal((20_000, 8), dtype=np.float32)
first = ApproximateIndex(vectors).top_k(vectors[:4], 5)
assert float(jnp.sum(jnp.asarray(vectors[:4]) @ vectors.T)) != 0
again = ApproximateIndex(vectors).top_k(vectors[:4], 5)
assert first.approximate and first.items.tolist() == again.items.tolist()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_process_answers_too():
    """Threads do not follow a fork: a child that waited for its parent's would be ended by the alarm."""
    code = """
import os, signal
import numpy as np
from butaca.index.approximate import ApproximateIndex
vectors = np.random.default_rng(0).standard_normal((40_000, 8), dtype=np.float32)
index = ApproximateIndex(vectors, part=15_000)
before = index.top_k(vectors[:4], 5)
assert before.approximate
child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(index.top_k(vectors[:4], 5).items.tolist() != before.items.tolist())
assert os.waitpid(child, 0)[1] == 0
assert index.top_k(vectors[:4], 5).items.tolist() == before.items.tolist()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_threads_share_an_index_and_end_with_it():
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((40_000, 8), dtype=np.float32)
    before = threading.active_count()
    index = ApproximateIndex(vectors, part=15_000)
    asked = [vectors[i : i + 1] for i in range(40)]
    alone = [index.top_k(query, 5).items.tolist() for query in asked]
    with ThreadPoolExecutor(8) as askers:
        together = [found.items.tolist() for found in askers.map(index.top_k, asked, [5] * 40)]
    assert together == alone
    assert threading.active_count() > before
    del index
    gc.collect()
    for _ in range(200):
        if threading.active_count() == before:
            break
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_part_has_codes():
    with pytest.raises(SettingError, match="part=0"):
        ApproximateIndex(np.eye(4, dtype=np.float32), part=0)


@pytest.mark.parametrize("index", ["exact", "approximate"])
def test_the_api_says_whether_a_list_is_approximate(tmp_path, index):
    folder = large().save(tmp_path / "m")
    served = Registry({"m": folder}, None, index=index).serving.default
    known, filtered = {"user": "1"}, {"user": "1", "allow": [5, 7, 11], "k": 2}
    with running_app(tmp_path, {"m": served.recommender}) as app:
        known, few = asking(app, post("/v1/recommend", known), post("/v1/recommend", filtered))
    assert known.json()["approximate"] is (index == "approximate")
    assert few.json()["approximate"] is False
    assert {i["id"] for i in few.json()["items"]} < {5, 7, 11}
