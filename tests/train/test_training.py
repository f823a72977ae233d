"""fit as a Keras user expects: history, callbacks, meshes, and resuming to the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optax
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import butaca
from butaca.data.negatives import Negatives
from butaca.errors import CheckpointError, FeatureError, NotFittedError, SettingError
from butaca.train.checkpoints import FILE
from butaca.two_tower import TwoTower
from tests.support.boards import checkerboard
from tests.support.forks import run, start
from tests.support.narrow import one_each, some

pytestmark = pytest.mark.usefixtures("optimised")

ROOT = str(Path(__file__).parents[2])


def model(**settings):
    return TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=4, **settings)


def test_fit_returns_a_history_of_every_epoch(board):
    history = model(softmax="in_batch", mask="none").fit(board, epochs=3, batch_size=64)
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["loss", "regularization_loss", "total_loss"]
    assert all(len(row) == 3 for row in history.history.values())
    assert history.history["loss"][2] < history.history["loss"][0]


def test_same_seed_same_bits_other_seed_other_bits(board):
    fits = []
    for seed in (1, 1, 2):
        m = model(seed=seed)
        m.fit(board, epochs=2, batch_size=50)
        fits.append(m.item_vectors)
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


def test_refit_forgets(board):
    m = model()
    m.fit(board, epochs=2, batch_size=50)
    first = m.item_vectors.copy()
    m.fit(board, epochs=2, batch_size=50)
    np.testing.assert_array_equal(m.item_vectors, first)


def test_before_fit_it_says_so():
    with pytest.raises(NotFittedError, match="Call fit"):
        model().score(np.array([0], dtype=np.int32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TwoTower(dim=0), "dim=0"),
        (lambda: TwoTower(hidden=(0,)), "hidden="),
        (lambda: TwoTower(l2=-1.0), "l2=-1"),
        (lambda: TwoTower(query=[]), "at least one feature"),
        (lambda: TwoTower(query=[butaca.Id("a"), butaca.Category("a")]), "each column once"),
    ],
)
def test_settings_are_checked(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_wrong_fits_are_refused(board):
    with pytest.raises(SettingError, match="epochs=0"):
        model().fit(board, epochs=0)
    with pytest.raises(FeatureError, match="movie_title"):
        TwoTower([butaca.Id("user_id")], [butaca.Id("movie_title")]).fit(board)
    with pytest.raises(SettingError, match="empty"):
        model().fit(board.take(np.array([], dtype=np.int64)))


def test_features_and_layers_train(board):
    """Parity is in the features: a tower that sees only them still learns the checkerboard's colours."""
    m = TwoTower(
        [butaca.Category("parity")],
        [butaca.Bag("genres"), butaca.Number("year"), butaca.Text("title")],
        dim=8,
        hidden=(16,),
    )
    m.fit(board, epochs=80, batch_size=64, optimizer=optax.adam(0.01))
    scores = m.score(np.array([0, 1], dtype=np.int32))
    even, odd = np.arange(0, 16, 2), np.arange(1, 16, 2)
    assert scores[0, even].min() > scores[0, odd].max()
    assert scores[1, odd].min() > scores[1, even].max()


def test_l2_shortens_vectors_and_is_logged(board):
    lengths = []
    for l2 in (0.0, 0.5):
        m = model(l2=l2)
        history = m.fit(board, epochs=10, batch_size=64)
        lengths.append(np.linalg.norm(m.item_vectors))
        assert (history.history["regularization_loss"][-1] > 0) == (l2 > 0)
    assert lengths[1] < 0.8 * lengths[0]


def test_items_that_share_a_title_are_one_candidate():
    board = checkerboard()
    titles = one_each(board.items["title"]).copy()
    titles[2] = titles[0]
    items = butaca.Entities("item_id", board.items.ids, {"title": titles})
    data = butaca.Dataset(board.users, items, board.user, board.item)
    m = TwoTower([butaca.Id("user_id")], [butaca.Id("title")], dim=2)
    m.fit(data, epochs=1, batch_size=64)
    assert m.n_items == 15
    assert m.items.key == "title"
    assert len(m.evaluate(data)) == 8  # a test set by item_id is recoded


def test_validation_is_logged_and_stops_early(board):
    train, valid = butaca.random_split(board, 0.25, seed=0)
    stop = butaca.EarlyStopping("val_factorized_top_k/top_1_categorical_accuracy", patience=2)
    m = model()
    history = m.fit(
        train, epochs=100, batch_size=64, callbacks=[stop], validation_data=valid, validation_k=(1,)
    )
    values = history.history["val_factorized_top_k/top_1_categorical_accuracy"]
    assert len(values) < 100
    best = int(np.argmax(values))
    assert len(values) == best + 3  # two epochs without improvement after the best
    assert stop.best_epoch == best
    again = m.evaluate(valid, k=(1,), exclude_seen=True)
    assert again["factorized_top_k/top_1_categorical_accuracy"] == pytest.approx(max(values))


def test_early_stopping_names_what_it_can_watch(board):
    with pytest.raises(SettingError, match="'val_x', while the logs hold loss"):
        model().fit(board, epochs=2, batch_size=64, callbacks=[butaca.EarlyStopping("val_x")])


def test_tensorboard_reads_what_was_written(board, tmp_path):
    """Scalars and histograms, read back with TensorBoard's own reader."""
    logs = butaca.TensorBoard(tmp_path, histogram_freq=1)
    m = model()
    history = m.fit(board, epochs=3, batch_size=64, callbacks=[logs])
    metrics = m.evaluate(board, callbacks=[logs])
    logs.close()
    train = EventAccumulator(str(tmp_path / "train"), size_guidance={"histograms": 0})
    train.Reload()
    losses = [event.value for event in train.Scalars("epoch_loss")]
    np.testing.assert_allclose(losses, history.history["loss"], rtol=1e-6)
    assert [event.step for event in train.Scalars("epoch_loss")] == [0, 1, 2]
    tags = sorted(train.Tags()["histograms"])
    assert tags == ["candidate/tables/item_id", "query/tables/user_id"]
    last = train.Histograms("candidate/tables/item_id")[-1].histogram_value
    assert last.num == 17 * 4  # sixteen items and the unknown one, four dimensions
    values = m._fitted.run.parameters()["candidate/tables/item_id"]
    assert last.max == pytest.approx(float(values.max()), rel=1e-6)
    validation = EventAccumulator(str(tmp_path / "validation"))
    validation.Reload()
    name = "factorized_top_k/top_10_categorical_accuracy"
    (event,) = validation.Scalars(f"evaluation_{name}")
    assert event.value == pytest.approx(metrics[name])


def test_progress_shows_every_step(board):
    from rich.console import Console

    console = Console(record=True, width=100, force_terminal=False)
    model().fit(board, epochs=2, batch_size=64, callbacks=[butaca.Progress(console)])
    steps = 2 * -(-len(board) // 64)
    assert f"{steps}/{steps} steps" in console.export_text()


MESH = """
import dataclasses, json, sys
import numpy as np
sys.path.insert(0, {tests!r})
from tests.support.boards import checkerboard
import butaca, jax, optax
from butaca.model import kernels, losses
from butaca.train import step
from butaca.two_tower import TwoTower
called, call = set(), kernels.NativeKernels._call
kernels.NativeKernels._call = lambda self, which, *x: called.add(which) or call(self, which, *x)
assert len(jax.devices()) == 4
out = {{}}
for name, settings in {cases!r}.items():
    vectors = []
    history, gathered = settings.pop("history", None), settings.pop("gathered", False)
    optimizer = optax.adagrad(settings.pop("rate", 0.5))
    step.FILLED = 0 if gathered else 50
    losses.HELD_LOGITS = 0 if settings.pop("tiled", False) else 1 << 24
    native = settings.pop("native", False)
    kernels.NATIVE_PAIRS, dim = (0, 16) if native else (1 << 14, 4)
    called.clear()
    step.make_step.cache_clear()
    first = butaca.Id("user_id") if history is None else butaca.History(**history)
    board = checkerboard()
    if history is not None:
        n = np.arange(len(board))
        board = dataclasses.replace(board, value=(n % 5).astype(np.float32), timestamp=n * 40_000)
    for devices in (1, 4):
        m = TwoTower(
            [first, butaca.Category("parity")],
            [butaca.Id("item_id"), butaca.Bag("genres")],
            dim=dim, devices=devices, **settings,
        )
        m.fit(board, epochs=5, batch_size=50, optimizer=optimizer)
        ends = [m.user_vectors, m.item_vectors]
        if m.item_bias is not None:
            ends.append(m.item_bias)
        if history is not None:
            table = m._fitted.run.towers.query.history
            if table.table is not None:
                split = [s.data.shape for s in table.table.addressable_shards]
                assert split == [(-(-17 // devices), dim)] * devices
            else:
                ends += jax.tree.leaves(table)
            ends.append(m.query_tower.history.table)
            if history.get("by_rating"):
                ends += [table.rating, table.recency]
                assert float(abs(table.recency)) > 0.01
        vectors.append([np.asarray(x) for x in ends])
    if native and kernels.native_kernels(16) is not None:
        assert called == ({{"sums", "grads", "rows"}} if native == "tiled" else {{"rows"}}), called
    table = m._fitted.run.towers.candidate.tables["item_id"]
    shards = {{s.data.shape for s in table.addressable_shards}}
    out[name] = [
        max(float(np.abs(a - b).max()) for a, b in zip(*vectors, strict=True)),
        float(np.abs(vectors[0][1]).max()),
        sorted(map(list, shards)),
        len({{s.device for s in table.addressable_shards}}),
    ]
print(json.dumps(out))
"""


def said_on_devices(n: int, code: str) -> Any:
    """What code prints last, as JSON, in a process of n host devices that compiles quickly."""
    quickly = f"--xla_force_host_platform_device_count={n} --xla_cpu_use_fusion_emitters=false"
    env = os.environ | {"XLA_FLAGS": quickly, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


UNIT = {"unit": True, "temperature": 0.25, "prior": "popularity"}
MESHES: dict[str, dict[str, Any]] = {
    "in-batch, known": {"softmax": "in_batch", "mask": "known", "l2": 0.01},
    "sampled, accidental": {"softmax": "sampled", "samples": 12, "mask": "accidental"},
    "history, full": {"softmax": "full", "history": {}, "start": "spectral", **UNIT},
    "history, in-batch": {"softmax": "in_batch", "history": {"dropout": 0.3}, **UNIT},
    "history, sampled": {"softmax": "sampled", "samples": 12, "history": {}, **UNIT},
    "history, tiled": {"softmax": "full", "history": {}, "start": "spectral", "tiled": True, **UNIT},
    "history, weighted": {"history": {"by_rating": True, "by_recency": True}, "prior": "recent"},
    "native, tiled": {
        "softmax": "full", "tiled": True, "native": "tiled",
        "history": {"by_rating": True, "by_recency": True}, "gathered": True, **UNIT,
    },
    "native, sampled": {
        "softmax": "sampled", "samples": 12, "native": "rows", "history": {}, "gathered": True, **UNIT,
    },
    "timescales": {"softmax": "full", "history": {"order": "timescales"}, "start": "spectral", **UNIT},
    "timescales, sampled": {
        "softmax": "sampled", "samples": 12, "history": {"order": "timescales", "shared": False}, **UNIT,
    },
    "attention": {
        "softmax": "full", "history": {"order": "attention", "window": 8}, "rate": 0.01, "tiled": True,
        **UNIT,
    },
    # At a rate of 0.5 layers magnify the last digit of a sum a thousandfold in each epoch.
    "history, layers": {"softmax": "full", "history": {}, "hidden": (6,), "mask": "known", "rate": 0.05},
    "history, gathered": {
        "softmax": "full", "history": {"by_rating": True, "by_recency": True}, "gathered": True, **UNIT,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def meshes() -> dict[str, Any]:
    """What one process found that trained every case on one device and on four.

    XLA optimises little here: 22 steps are compiled in a quarter of the time.
    """
    found: dict[str, Any] = said_on_devices(4, MESH.format(tests=ROOT, cases=MESHES))
    return found


@pytest.mark.parametrize("name", MESHES)
def test_one_and_four_devices_end_with_the_same_parameters(meshes, name):
    """The catalogue split over four host devices, against one: the same to float tolerance."""
    difference, size, shards, devices = meshes[name]
    assert difference < 2e-4
    assert size > 0.1  # they did move
    assert shards == [[5, 16 if "native" in name else 4]]  # ceil(17 / 4) rows each
    assert devices == 4


OWNED = """
import json
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, PartitionSpec as P
from butaca.model.owned import over_own

mesh = Mesh(np.array(jax.devices()), ("items",))
rng, out = np.random.default_rng(0), {}
for name, owner in {
    "even": rng.integers(0, 8, 400), "uneven": np.r_[np.full(150, 1), rng.integers(2, 8, 250)],
    "all on one": np.full(400, 2), "nobody's": np.full(400, 9), "few": np.array([0, 1, 2]),
}.items():
    value = rng.normal(size=len(owner)).astype(np.float32)

    def local(owner, value):
        own = owner == jax.lax.axis_index("items")

        def add(at, mine):
            sums = jax.lax.pcast(jnp.zeros(5), "items", to="varying").at[jnp.arange(len(value))[at] % 5]
            return jnp.append(sums.add(jnp.where(mine, value[at], 0.0)), len(mine))  # and how many it got

        sums = over_own(add, own, axis="items")
        return jax.lax.psum(sums[:5], "items"), sums[5:]

    def total(value):
        split = jax.shard_map(local, mesh=mesh, in_specs=(P(), P()), out_specs=(P(), P("items")))
        sums, taken = split(owner, value)
        return jnp.sum(sums * jnp.arange(1.0, 6.0)), taken

    (got, taken), grad = jax.jit(jax.value_and_grad(total, has_aux=True))(value)
    counted = owner < 8
    scale = np.where(counted, np.arange(len(owner)) % 5 + 1, 0)
    slope = np.abs(np.asarray(grad) - scale).max()
    out[name] = [float(got - (value * scale).sum()), float(slope), np.asarray(taken).astype(int).tolist()]
print(json.dumps(out))
"""


def test_a_device_adds_up_its_own_entries_wherever_they_lie():
    """On eight devices, whatever a device's share: the sum over all, its gradient, and how much it took."""
    found = said_on_devices(8, OWNED)
    for name, (difference, slope, _) in found.items():
        assert abs(difference) < 1e-3, name
        assert slope == 0.0, name
    # Two even shares of fifty, or four, or all, as a device's own part needs.
    assert {name: taken for name, (_, _, taken) in found.items()} == {
        "even": [100] * 8,
        "uneven": [100, 200, *[100] * 6],
        "all on one": [100, 100, 400, *[100] * 5],
        "nobody's": [100] * 8,
        "few": [1, 1, 1, *[1] * 5],
    }


RESUME = textwrap.dedent("""
    import dataclasses, os, signal, sys, time
    sys.path.insert(0, {tests!r})
    from tests.support.boards import checkerboard
    import jax, numpy as np, optax
    import butaca
    from butaca.train.callbacks import Callback
    from butaca.two_tower import TwoTower

    jax.config.update("jax_disable_most_optimizations", False)  # the bits that users get

    class Slow(Callback):
        def on_train_batch_end(self, batch, logs=None):
            print("step", batch, flush=True)
            time.sleep({pause})

    board = checkerboard()
    board = dataclasses.replace(board, timestamp=np.arange(len(board)) * 40_000)
    train, valid = butaca.random_split(board, 0.2, seed=0)
    model = TwoTower([{query}], [butaca.Id("item_id")], dim=4, softmax="sampled", samples=8, **{settings!r})
    history = model.fit(
        train, epochs=4, batch_size=16, optimizer=optax.adam(0.05), validation_data=valid,
        callbacks=[
            Slow(),
            butaca.EarlyStopping("val_factorized_top_k/top_10_categorical_accuracy", patience=50),
            butaca.Checkpoint({folder!r}, every_steps=2),
        ],
        resume={resume!r},
    )
    np.savez({out!r}, user=model.user_vectors, item=model.item_vectors,
             **{{k.replace("/", "_"): v for k, v in history.history.items()}}, epoch=history.epoch)
""")


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        ('butaca.Id("user_id")', {}),
        ("butaca.History(by_recency=True)", {"unit": True, "prior": "recent", "start": "spectral"}),
        ("butaca.History(order='timescales')", {"unit": True, "start": "spectral"}),
        ("butaca.History(order='attention', window=8)", {"unit": True}),
    ],
    ids=["id", "history", "timescales", "attention"],
)
def test_killed_in_mid_epoch_and_resumed_ends_with_the_same_bits(tmp_path, query, settings):
    """A run killed with -9, twice, against one that was not: vectors and history equal bit for bit."""

    def code(folder, out, resume=None, pause=0.0):
        paths = {"tests": ROOT, "folder": str(folder), "out": str(out), "resume": resume}
        return RESUME.format(**paths, pause=pause, query=query, settings=settings)

    # Started anew, so that sets have another order in it than in the others.
    command = [sys.executable, "-c", code(tmp_path / "whole", tmp_path / "whole.npz")]
    whole = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    steps = whole.stdout.count("step")
    assert steps == 4 * 7 or "order" in query
    folder = tmp_path / "killed"
    for kill_after, resume in ((11, None), (9, str(folder))):
        process = start(code=code(folder, tmp_path / "never.npz", resume, 0.05), stdout=subprocess.PIPE)
        said = some(process.stdout)
        for _ in range(kill_after):
            assert said.readline().startswith("step")
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        said.close()
        assert not (tmp_path / "never.npz").exists()
        assert (folder / FILE).exists()
        assert not [p for p in folder.iterdir() if p.name != FILE and not p.name.startswith(".")]
    last = run(code=code(folder, tmp_path / "resumed.npz", str(folder)))
    resumed_steps = last.stdout.count("step")
    assert last.returncode == 0, last.stderr
    assert 0 < resumed_steps < steps  # it did not begin again
    a, b = np.load(tmp_path / "whole.npz"), np.load(tmp_path / "resumed.npz")
    assert sorted(a) == sorted(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_a_checkpoint_of_another_run_is_refused(board, tmp_path):
    keep = butaca.Checkpoint(tmp_path)
    model(seed=1).fit(board, epochs=1, batch_size=64, callbacks=[keep])
    with pytest.raises(CheckpointError, match=r"settings was .*seed=1.* is .*seed=2"):
        model(seed=2).fit(board, epochs=2, batch_size=64, callbacks=[keep], resume=tmp_path)
    with pytest.raises(CheckpointError, match="batch_size was 64, is 32"):
        model(seed=1).fit(board, epochs=2, batch_size=32, callbacks=[keep], resume=tmp_path)
    with pytest.raises(CheckpointError, match="data was"):
        model(seed=1).fit(
            board.take(np.arange(50)), epochs=2, batch_size=64, callbacks=[keep], resume=tmp_path
        )
    with pytest.raises(CheckpointError, match="Pass the same callbacks"):
        model(seed=1).fit(board, epochs=2, batch_size=64, resume=tmp_path)
    with pytest.raises(CheckpointError, match="same optimizer"):
        model(seed=1).fit(
            board, epochs=2, batch_size=64, optimizer=optax.adam(0.1), callbacks=[keep], resume=tmp_path
        )


def test_a_damaged_or_missing_checkpoint_is_refused(board, tmp_path):
    keep = butaca.Checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=r"without training\.safetensors"):
        model().fit(board, epochs=1, batch_size=64, callbacks=[keep], resume=tmp_path)
    model().fit(board, epochs=1, batch_size=64, callbacks=[keep])
    content = bytearray((tmp_path / FILE).read_bytes())
    content[-3] ^= 1
    (tmp_path / FILE).write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="checksum"):
        model().fit(board, epochs=2, batch_size=64, callbacks=[keep], resume=tmp_path)
    (tmp_path / FILE).write_bytes(bytes(content[: len(content) // 2]))
    with pytest.raises(CheckpointError, match="whole safetensors"):
        model().fit(board, epochs=2, batch_size=64, callbacks=[keep], resume=tmp_path)


def test_resuming_a_finished_run_changes_nothing(board, tmp_path):
    keep = butaca.Checkpoint(tmp_path)
    m = model()
    m.fit(board, epochs=2, batch_size=64, callbacks=[keep])
    again = model()
    history = again.fit(board, epochs=2, batch_size=64, callbacks=[keep], resume=tmp_path)
    np.testing.assert_array_equal(again.item_vectors, m.item_vectors)
    assert history.epoch == [0, 1]


def test_compiled_step_is_found_again(board):
    from butaca.train.step import make_step

    optimizer = optax.adagrad(0.3)
    model().fit(board, epochs=1, batch_size=64, optimizer=optimizer)
    before = make_step.cache_info().misses
    again = model()
    again.fit(board, epochs=2, batch_size=64, optimizer=optimizer)
    assert make_step.cache_info().misses == before
    assert again._fitted.run._step._cache_size() == 1  # one program for the first step and those after it


def test_training_warns_when_everyone_gets_the_same(ml_split):
    """Vectors too short to matter: the item prior alone orders every list."""
    train, test = ml_split
    some, held = train.take(np.arange(20_000)), test.take(np.arange(2_000))
    same = TwoTower(
        [butaca.History()], [butaca.Id("movie_title")], dim=4, prior="popularity", temperature=1e6
    )
    with pytest.warns(butaca.CollapseWarning, match="different people different lists"):
        same.fit(some, epochs=1, batch_size=20_000, optimizer=optax.sgd(0.0), validation_data=held)


def test_training_that_learned_people_does_not_warn(ml_split):
    train, test = ml_split
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = TwoTower([butaca.Id("user_id")], [butaca.Id("movie_title")], dim=16)
        model.fit(train, epochs=3, validation_data=test.take(np.arange(2_000)))


def test_dislikes_push_down_what_was_refused_and_only_if_asked(board):
    """Each user refuses the first two items of the other parity."""
    user = np.repeat(np.arange(20, dtype=np.int32), 2)
    item = (np.tile([0, 2], 20) + 1 - user % 2).astype(np.int32)
    told = replace(board, negatives=Negatives(user, item))
    refused = {}
    for dislikes, data in ((0.0, board), (0.0, told), (1.0, told)):
        m = TwoTower([butaca.Id("user_id")], [butaca.Id("item_id")], dim=8, unit=True, dislikes=dislikes)
        m.fit(data, epochs=5, batch_size=64)
        refused[dislikes, data is told] = float(m.score(np.arange(20, dtype=np.int32))[user, item].mean())
    assert refused[0.0, True] == refused[0.0, False]  # to the bit
    assert refused[1.0, True] < refused[0.0, True] - 0.1
    for dislikes, unit in ((-1.0, True), (1.0, False)):
        with pytest.raises(SettingError, match="dislikes"):
            TwoTower([butaca.Id("user_id")], dislikes=dislikes, unit=unit)
