"""Splits are disjoint and complete, keep the future out of training, and repeat with the same seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from butaca.data.dataset import Dataset, Entities
from butaca.data.histories import as_seconds
from butaca.data.splits import (
    leave_last_out,
    random_split,
    split_at,
    stratified_split,
    temporal_split,
    tied_at_the_cut,
    user_split,
    validation_split,
)
from butaca.data.vocabulary import Vocabulary
from butaca.errors import SettingError, SplitError
from tests.support.narrow import some

Split = Callable[[Dataset], tuple[Dataset, Dataset]]


def dataset(user: list[int], item: list[int], time: Sequence[float] | None, n_users: int = 6) -> Dataset:
    """Every row carries its own number as value, so that it can be followed into a split."""
    return Dataset(
        users=Entities("user_id", Vocabulary.of(range(n_users))),
        items=Entities("item_id", Vocabulary.of(range(8))),
        user=np.array(user, dtype=np.int32),
        item=np.array(item, dtype=np.int32),
        value=np.arange(len(user), dtype=np.float32),
        timestamp=None if time is None else as_seconds(np.array(time)),
        name="made",
    )


ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 9)), max_size=40)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    rows = draw(ROWS)
    user, item, time = ([row[i] for row in rows] for i in range(3))
    return dataset(user, item, time)


#: For splits that refuse much of what `datasets` draws.
PATIENT = settings(suppress_health_check=[HealthCheck.filter_too_much])
SHARES = st.floats(0.01, 0.99)
SEEDS = st.integers(0, 2**32 - 1)
SPLITS: dict[str, Callable[[float, int], Split]] = {
    "random": lambda share, seed: lambda data: random_split(data, share, seed=seed),
    "by item": lambda share, seed: lambda data: stratified_split(data, share, seed=seed),
    "by user": lambda share, seed: lambda data: stratified_split(data, share, seed=seed, by="user"),
    "temporal": lambda share, seed: lambda data: temporal_split(data, share),
    "last": lambda share, seed: lambda data: leave_last_out(data, 1 + seed % 3, seed=seed),
    "user": lambda share, seed: lambda data: user_split(data, share, seed=seed),
}


def numbers(data: Dataset) -> list[int]:
    assert data.value is not None
    return [int(v) for v in data.value]


def rows(data: Dataset) -> list[tuple[int, int, int, int]]:
    columns = (data.user, data.item, some(data.timestamp), some(data.value))
    return [(int(u), int(i), int(t), int(v)) for u, i, t, v in zip(*columns, strict=True)]


def split_or_skip(split: Split, data: Dataset) -> tuple[Dataset, Dataset]:
    try:
        return split(data)
    except SplitError:
        assume(False)
        raise


@pytest.mark.parametrize("kind", SPLITS)
@PATIENT
@given(data=datasets(), share=SHARES, seed=SEEDS)
def test_every_row_is_on_exactly_one_side(kind: str, data: Dataset, share: float, seed: int) -> None:
    train, test = split_or_skip(SPLITS[kind](share, seed), data)
    assert sorted(rows(train) + rows(test)) == sorted(rows(data))
    assert set(numbers(train)).isdisjoint(numbers(test))
    assert len(train)
    assert len(test)


@pytest.mark.parametrize("kind", SPLITS)
@PATIENT
@given(data=datasets(), share=SHARES, seed=SEEDS)
def test_both_sides_share_the_vocabularies(kind: str, data: Dataset, share: float, seed: int) -> None:
    for side in split_or_skip(SPLITS[kind](share, seed), data):
        assert side.users is data.users
        assert side.items is data.items
        assert side.name == data.name


@pytest.mark.parametrize("kind", SPLITS)
@PATIENT
@given(data=datasets(), share=SHARES, seed=SEEDS)
def test_the_same_seed_gives_the_same_split(kind: str, data: Dataset, share: float, seed: int) -> None:
    split = SPLITS[kind](share, seed)
    first, second = split_or_skip(split, data), split(data)
    assert [numbers(side) for side in first] == [numbers(side) for side in second]


class TestRandomSplit:
    def test_the_notebooks_sizes_and_rows(self) -> None:
        n = 100_000
        zeros = np.zeros(n, dtype=np.int32)
        entities = Entities("id", Vocabulary.of([0]))
        data = Dataset(entities, entities, zeros, zeros, timestamp=np.arange(n))
        train, test = random_split(data, test_share=0.2, seed=42)
        assert (len(train), len(test)) == (80_000, 20_000)
        order = np.random.default_rng(42).permutation(n)
        assert train.timestamp is not None
        assert test.timestamp is not None
        assert np.array_equal(train.timestamp, order[:80_000])
        assert np.array_equal(test.timestamp, order[80_000:])

    @given(data=datasets(), share=SHARES)
    def test_size_is_the_rounded_share(self, data: Dataset, share: float) -> None:
        _, test = split_or_skip(lambda d: random_split(d, share), data)
        assert len(test) == round(len(data) * share)

    def test_another_seed_gives_another_split(self) -> None:
        data = dataset([0] * 40, [0] * 40, None)
        assert numbers(random_split(data, seed=1)[1]) != numbers(random_split(data, seed=2)[1])

    def test_needs_no_time(self) -> None:
        train, test = random_split(dataset([0, 1, 2, 3, 4], [0] * 5, None), 0.2)
        # default_rng(42).permutation(5) is 4 2 3 1 0: the last one tests
        assert (numbers(train), numbers(test)) == ([4, 2, 3, 1], [0])


class TestStratifiedSplit:
    def test_by_hand(self) -> None:
        # RandomState(42) draws .375 .951 .732 .599 .15602 .15599 .058 .866 .601 .708
        # item 0, rows 0 to 3: from the lowest 0 3 2 1; three quarters of four train: 0 3 2
        # item 1, rows 4 to 6: 6 5 4; three quarters of three is 2.25, so 6 and 5 train
        # item 2, row 7: three quarters of one is .75, so none trains
        # item 3, rows 8 and 9: three quarters of two is 1.5, so 8 trains
        data = dataset([0] * 10, [0, 0, 0, 0, 1, 1, 1, 2, 3, 3], None)
        train, test = stratified_split(data)
        assert (numbers(train), numbers(test)) == ([0, 2, 3, 5, 6, 8], [1, 4, 7, 9])

    def test_interleaved_items_and_users(self) -> None:
        # the same draws; item 0 has rows 0 2 4 (.375 .732 .156), item 1 rows 1 3 5 (.951 .599 .156)
        # half of three is 1.5, so one trains: rows 4 and 5
        data = dataset([0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], None)
        assert numbers(stratified_split(data, test_share=0.5)[0]) == [4, 5]
        # user 0 has rows 0 1 2, user 1 rows 3 4 5: rows 0 and 5
        assert numbers(stratified_split(data, test_share=0.5, by="user")[0]) == [0, 5]

    @PATIENT
    @given(data=datasets(), quarters=st.integers(1, 3), seed=SEEDS, by=st.sampled_from(["item", "user"]))
    def test_every_group_gives_its_share(self, data: Dataset, quarters: int, seed: int, by: str) -> None:
        train, _ = split_or_skip(lambda d: stratified_split(d, quarters / 4, seed=seed, by=by), data)  # type: ignore[arg-type]
        size = np.bincount(getattr(data, by), minlength=8)
        trained = np.bincount(getattr(train, by), minlength=8)
        assert trained.tolist() == [n * (4 - quarters) // 4 for n in size]

    def test_every_interaction_is_equally_likely_to_train(self) -> None:
        data = dataset([0] * 5, [0] * 5, None)
        counts = np.zeros(5)
        for seed in range(500):
            counts[numbers(stratified_split(data, 0.4, seed=seed)[0])] += 1
        assert counts.sum() == 500 * 3
        assert np.all(np.abs(counts - 300) < 50)  # 4.6 standard deviations of sqrt(500 * .6 * .4) = 11

    def test_by_is_item_or_user(self) -> None:
        with pytest.raises(SplitError, match=r"by item or by user.*by='title'.*by=\"item\""):
            stratified_split(TIMED, by="title")  # type: ignore[arg-type]


class TestTemporalSplit:
    @given(data=datasets(), share=SHARES)
    def test_all_training_is_before_all_testing(self, data: Dataset, share: float) -> None:
        train, test = split_or_skip(lambda d: temporal_split(d, share), data)
        assert train.timestamp is not None
        assert test.timestamp is not None
        assert train.timestamp.max() < test.timestamp.min()

    @given(data=datasets(), share=SHARES)
    def test_no_other_moment_comes_nearer_to_the_share(self, data: Dataset, share: float) -> None:
        train, _ = split_or_skip(lambda d: temporal_split(d, share), data)
        assert data.timestamp is not None
        wanted = (1 - share) * len(data)
        off = [abs(int((data.timestamp < t).sum()) - wanted) for t in set(data.timestamp.tolist())]
        before_nothing = abs(0 - wanted)  # the cut at the first moment, which would leave no training
        off.remove(before_nothing)
        assert abs(len(train) - wanted) <= min(off)

    def test_by_hand(self) -> None:
        # times 1 1 2 3 3 3: cuts leave 2 or 3 of 6 to train; half is 3, so 3 on tests
        train, test = temporal_split(dataset([0] * 6, [0] * 6, [3, 1, 3, 2, 1, 3]), test_share=0.5)
        assert (numbers(train), numbers(test)) == ([1, 3, 4], [0, 2, 5])
        # a fifth of 6 tests, so 4.8 train: 3 is nearer than 2, and 3, 3, 3 may not be parted
        train, test = temporal_split(dataset([0] * 6, [0] * 6, [3, 1, 3, 2, 1, 3]), test_share=0.2)
        assert numbers(test) == [0, 2, 5]

    @given(data=datasets(), share=SHARES, seed=SEEDS)
    def test_row_order_does_not_matter(self, data: Dataset, share: float, seed: int) -> None:
        shuffled = data.take(np.random.default_rng(seed).permutation(len(data)))
        _, test = split_or_skip(lambda d: temporal_split(d, share), data)
        assert sorted(rows(temporal_split(shuffled, share)[1])) == sorted(rows(test))


class TestLeaveLastOut:
    @PATIENT
    @given(data=datasets(), n=st.integers(1, 3))
    def test_the_last_n_of_each_user_test(self, data: Dataset, n: int) -> None:
        _, test = split_or_skip(lambda d: leave_last_out(d, n), data)
        by_user = defaultdict(list)
        for user, _, time, _ in rows(data):
            by_user[user].append(time)
        expected = [
            (user, time) for user, times in by_user.items() if len(times) > n for time in sorted(times)[-n:]
        ]
        assert sorted((user, time) for user, _, time, _ in rows(test)) == sorted(expected)

    @PATIENT
    @given(data=datasets(), n=st.integers(1, 3), seed=SEEDS)
    def test_row_order_does_not_change_the_pairs(self, data: Dataset, n: int, seed: int) -> None:
        shuffled = data.take(np.random.default_rng(seed).permutation(len(data)))
        _, test = split_or_skip(lambda d: leave_last_out(d, n), data)
        other = leave_last_out(shuffled, n)[1]
        assert sorted(r[:3] for r in rows(other)) == sorted(r[:3] for r in rows(test))

    def test_by_hand(self) -> None:
        # user 0: times 5 9 7, the last is row 1; user 1: one interaction, which trains;
        # user 2: times 3 4
        data = dataset([0, 0, 0, 1, 2, 2], [1, 2, 3, 1, 6, 2], [5, 9, 7, 8, 4, 3])
        train, test = leave_last_out(data)
        assert (numbers(train), numbers(test)) == ([0, 2, 3, 5], [1, 4])
        assert numbers(leave_last_out(data, 2)[1]) == [1, 2]

    @pytest.mark.parametrize("second", [0, 1_700_000_000, -3])
    def test_two_within_one_second_have_an_order(self, second: int) -> None:
        """Neither row nor id says which is the last, and the draw has no say; equal fractions are a tie."""
        user, times = [0, 0, 1, 1, 2, 2], [0.75, 0.25, 0.25, 0.75, 0.5, 0.5]
        data = dataset(user, [1, 2, 1, 2, 1, 2], [second + t for t in times])
        for seed in range(8):
            train, test = leave_last_out(data, seed=seed)
            assert numbers(test)[:2] == [0, 3]
            assert tied_at_the_cut(train, test) == 1

    def test_of_equal_times_a_draw_holds_out_and_no_order_of_ids_or_rows(self) -> None:
        """600 users had eight items at one time, in rows up or down: each item is held out about 75 times."""
        n = 600
        for order in (np.arange(8), np.arange(8)[::-1]):
            data = dataset(np.repeat(np.arange(n), 8).tolist(), order.tolist() * n, [7] * 8 * n, n_users=n)
            held = np.bincount(leave_last_out(data)[1].item, minlength=8)
            assert held.sum() == n
            assert np.all(np.abs(held - n / 8) < 37)  # 4.6 standard deviations of sqrt(600 / 8 * 7 / 8) = 8.1

    def test_another_seed_holds_out_others_of_equal_times(self) -> None:
        data = dataset([0] * 8, list(range(8)), [7] * 8)
        assert len({leave_last_out(data, seed=seed)[1].item[0] for seed in range(20)}) > 3

    def test_the_draw_reads_raw_ids_and_not_codes(self) -> None:
        """A new item that sorts first moves every code, and changes nothing."""
        data = dataset([0, 0, 0, 1, 1], [1, 2, 3, 4, 5], [7] * 5)
        ids = Vocabulary.of([-1, *range(8)])
        moved = replace(data, items=Entities("item_id", ids), item=data.item + 1)
        assert numbers(leave_last_out(moved)[1]) == numbers(leave_last_out(data)[1])

    @PATIENT
    @given(data=datasets(), n=st.integers(1, 3))
    def test_ties_at_the_cut_are_counted(self, data: Dataset, n: int) -> None:
        train, test = split_or_skip(lambda d: leave_last_out(d, n), data)
        times = defaultdict(list)
        for user, _, time, _ in rows(data):
            times[user].append(time)
        ordered = [sorted(of) for of in times.values() if len(of) > n]
        assert tied_at_the_cut(train, test) == sum(of[-n] == of[-n - 1] for of in ordered)

    def test_each_users_test_is_not_before_its_training(self) -> None:
        rng = np.random.default_rng(0)
        data = dataset(*(rng.integers(0, high, 300).tolist() for high in (6, 8, 50)))
        train, test = leave_last_out(data, 5)
        for user in range(6):
            assert train.timestamp is not None
            assert test.timestamp is not None
            assert (test.user == user).sum() == 5
            assert train.timestamp[train.user == user].max() <= test.timestamp[test.user == user].min()


class TestUserSplit:
    @given(data=datasets(), share=SHARES, seed=SEEDS)
    def test_no_user_is_on_both_sides(self, data: Dataset, share: float, seed: int) -> None:
        train, test = split_or_skip(lambda d: user_split(d, share, seed=seed), data)
        assert set(train.user.tolist()).isdisjoint(test.user.tolist())
        active = len(set(data.user.tolist()))
        assert len(set(test.user.tolist())) == min(max(round(active * share), 1), active - 1)

    def test_users_without_interactions_do_not_count(self) -> None:
        # users 1, 3 and 5 of six have any; a third of three is one
        data = dataset([1, 3, 5, 5], [0, 0, 0, 1], None)
        _, test = user_split(data, test_share=1 / 3)
        assert len(set(test.user.tolist())) == 1

    def test_another_seed_gives_other_users(self) -> None:
        data = dataset(list(range(6)) * 2, [0] * 12, None)
        chosen = {tuple(sorted(set(user_split(data, 0.5, seed=seed)[1].user.tolist()))) for seed in range(20)}
        assert len(chosen) > 1


class TestValidationSplit:
    """The slice of the training side asks what the test side asks."""

    @PATIENT
    @given(data=datasets(), share=SHARES, seed=SEEDS)
    def test_by_time_it_is_the_latest(self, data: Dataset, share: float, seed: int) -> None:
        before, after = split_or_skip(lambda d: validation_split(d, "temporal", share=share, seed=seed), data)
        assert some(before.timestamp).max() < some(after.timestamp).min()

    @PATIENT
    @given(data=datasets(), seed=SEEDS)
    def test_of_each_last_it_is_the_last_but_one(self, data: Dataset, seed: int) -> None:
        train, _ = split_or_skip(lambda d: leave_last_out(d, seed=seed), data)
        kept, held = split_or_skip(lambda d: validation_split(d, "last", share=0.99, seed=seed), train)
        assert sorted(rows(kept) + rows(held)) == sorted(rows(train))
        assert len(set(held.user.tolist())) == len(held) == (np.bincount(train.user) > 1).sum()
        for user, _, time, _ in rows(held):
            assert time == some(train.timestamp)[train.user == user].max()

    def test_of_many_users_a_seeded_draw_is_asked(self) -> None:
        n = 40
        data = dataset([*range(n)] * 4, [0] * n + [1] * n + [2] * n + [3] * n, [*range(4 * n)], n_users=n)
        drawn = [set(validation_split(data, "last", seed=seed)[1].user.tolist()) for seed in (1, 1, 2)]
        assert [len(users) for users in drawn] == [16] * 3  # a tenth of 160
        assert drawn[0] == drawn[1] != drawn[2]
        assert validation_split(data, "last")[1].item.tolist() == [3] * 16

    @pytest.mark.parametrize("split", ["random", "user", "none", "given"])
    def test_else_it_is_a_random_share(self, split: str) -> None:
        data = dataset([0, 1, 2, 3, 4] * 4, [0] * 20, None)
        assert [numbers(side) for side in validation_split(data, split, share=0.2, seed=3)] == [
            numbers(side) for side in random_split(data, 0.2, seed=3)
        ]


TIMED = dataset([0, 0, 1, 1], [0, 1, 0, 1], [1, 2, 3, 4])
TIMELESS = dataset([0, 0, 1, 1], [0, 1, 0, 1], None)
EMPTY = dataset([], [], [])


@pytest.mark.parametrize("split", [random_split, stratified_split, temporal_split, user_split])
@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_the_share_lies_between_0_and_1(split: Callable[..., object], share: float) -> None:
    with pytest.raises(SplitError, match=rf"between 0 and 1.*test_share={share}.*test_share=0\.2"):
        split(TIMED, share)


@pytest.mark.parametrize("split", [temporal_split, leave_last_out])
def test_splits_by_time_need_times(split: Split) -> None:
    with pytest.raises(SplitError, match=r"needs a time.*'made', which has no time column.*--time-column"):
        split(TIMELESS)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda: random_split(EMPTY), r"at least one interaction.*0 for training and 0 for testing"),
        (lambda: random_split(TIMED, 0.1), r"4 for training and 0 for testing out of 4.*another share"),
        (lambda: random_split(TIMED, 0.9), r"0 for training and 4 for testing out of 4"),
        (lambda: stratified_split(EMPTY), r"at least one interaction.*0 for training and 0 for testing"),
        (lambda: stratified_split(dataset([0, 1], [0, 1], None)), r"0 for training and 2 for testing"),
        (lambda: temporal_split(EMPTY), r"two different times.*0 interactions, all at time none"),
        (
            lambda: temporal_split(dataset([0, 1], [0, 1], [7, 7])),
            r"2 interactions, all at time 7.*random_split",
        ),
        (lambda: leave_last_out(TIMED, 0), r"at least one interaction.*n=0.*n=1 or more"),
        (lambda: leave_last_out(TIMED, 2), r"4 for training and 0 for testing"),
        (lambda: leave_last_out(EMPTY), r"0 for training and 0 for testing"),
        (lambda: user_split(dataset([2, 2], [0, 1], None)), r"at least two users.*1 of them.*random_split"),
        (lambda: user_split(EMPTY), r"at least two users.*0 of them"),
    ],
)
def test_splits_that_cannot_be(split: Callable[[], object], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        split()


@pytest.mark.parametrize("moment", [float("nan"), float("inf")])
def test_a_moment_is_finite(moment):
    with pytest.raises(SettingError, match="moment is a finite number"):
        split_at(dataset([0, 1], [0, 1], [1, 2]), moment)
