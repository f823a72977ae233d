"""Arms, rates and their intervals: by hand, against published figures, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from butaca.errors import SettingError
from butaca.events.attribution import ArmCounts
from butaca.events.experiments import design_effect, difference, newcombe, rate, wilson
from butaca.events.records import Event, Shown
from butaca.events.split import arm_of, parse_split
from butaca.events.store import EventStore

USERS = [f"user {n}" for n in range(20_000)]


def arms(split, salt="salt", users=USERS):
    return np.array([arm_of(user, split, salt=salt) for user in users])


# Splits


def test_a_split_is_names_and_shares():
    assert parse_split(" a = .5,b=0.25 ,c=2.5e-1") == {"a": 0.5, "b": 0.25, "c": 0.25}
    assert parse_split("only=1") == {"only": 1.0}
    assert parse_split("a=0.3333333,b=0.3333333,c=0.3333334") == pytest.approx(
        {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "''"), ("a", "'a'"), ("a=", "'a='"), ("=1", "'=1'"), ("a=x", "'a=x'"), ("a=0.5", "sum to 0.5"),
        ("a=0.9,b=0.9", "sum to 1.8"), ("a=1.5,b=-0.5", "'a=1.5'"), ("a=0.5,a=0.5", "twice"),
        ("a=nan", "nan"), ("a=0.5,b=0.5,", "''"), ("a=inf", "inf"),
    ],
)  # fmt: skip
def test_other_texts_are_no_split(text, says):
    with pytest.raises(SettingError, match=r"champion=0\.9,challenger=0\.1") as error:
        parse_split(text)
    assert says in error.value.received


@pytest.mark.parametrize(
    "split", [{"a": 0.9, "b": 0.1}, {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 1.0, "b": 0.0}]
)
def test_each_arm_gets_its_share(split):
    chosen = arms(split)
    for arm, share in split.items():
        sd = math.sqrt(share * (1 - share) / len(USERS))
        assert abs(np.mean(chosen == arm) - share) <= 4 * sd


def test_an_arm_is_sticky():
    """The same today as when this was written, whatever the order of the arms."""
    split = {"champion": 0.9, "challenger": 0.1}
    assert [arm_of(u, split, salt="summer") for u in "1234"] == ["champion"] * 3 + ["challenger"]
    assert (arms(split) == arms(dict(reversed(split.items())))).all()


def test_changed_shares_move_as_few_as_possible():
    """From 10 % to 30 %: 20 % of the users move, all of them to the challenger."""
    before, after = arms({"a": 0.9, "b": 0.1}), arms({"a": 0.7, "b": 0.3})
    assert set(after[before == "b"]) == {"b"}
    assert np.mean(before != after) == pytest.approx(0.2, abs=0.012)


def test_a_new_arm_takes_from_the_others_in_proportion():
    before, after = arms({"a": 0.75, "b": 0.25}), arms({"a": 0.6, "b": 0.2, "c": 0.2})
    moved = before != after
    assert set(after[moved]) == {"c"}
    assert np.mean(moved[before == "a"]) == pytest.approx(0.2, abs=0.015)
    assert np.mean(moved[before == "b"]) == pytest.approx(0.2, abs=0.025)


def test_another_salt_draws_anew():
    split = {"a": 0.5, "b": 0.5}
    one, other = arms(split, "one") == "a", arms(split, "other") == "a"
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03


def test_no_share_no_arm():
    with pytest.raises(SettingError):
        arm_of("ana", {"a": 0.0})


@given(st.text(), st.text())
def test_any_text_has_an_arm(who, salt):
    assert arm_of(who, {"a": 0.5, "b": 0.5}, salt=salt) in ("a", "b")


# Rates


# Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(x, n, low, high):
    assert wilson(x, n) == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson(n - x, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


# Newcombe (1998), Statistics in Medicine 17, 873-890, table II, method 10.
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_newcombe_gives_the_published_intervals(one, other, low, high):
    assert newcombe(one, other)[1:] == pytest.approx((low, high), abs=5e-5)
    assert newcombe(other, one)[1:] == pytest.approx((-high, -low), abs=5e-5)


@pytest.mark.parametrize(("x", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 0.0), (1, 5, 1.0)])
def test_impossible_counts_are_refused(x, n, level):
    with pytest.raises(SettingError):
        wilson(x, n, level=level)


def test_nothing_shown_says_nothing():
    empty = ArmCounts(0, 0, 0, 0, 0.0)
    assert math.isnan(rate(empty).rate)
    assert (rate(empty).low, rate(empty).high) == (0.0, 1.0)
    apart = difference({"a": ArmCounts(10, 5, 5, 10, 2.5)}, "a", base="not there")
    assert (apart.low, apart.high) == (-1.0, 1.0)
    assert math.isnan(apart.difference)


def test_independent_requests_have_the_plain_interval():
    """One request each: squares = x (1 - p)^2 + (n - x) p^2 = n p (1 - p), so the effect is n / (n - 1)."""
    counts = ArmCounts(200, 30, 31, 200, 200 * 0.15 * 0.85)
    assert design_effect(counts) == pytest.approx(200 / 199)
    assert (rate(counts).low, rate(counts).high) == pytest.approx(wilson(30, 200), abs=1e-3)


def test_the_interval_holds_when_people_differ():
    """Each person's own rate is Beta(0.5, 4.5); 150 people with 1 to 40 requests each; truth 0.1.

    The interval is to cover the truth in about 95 % of the draws. Taking requests as independent covers
    it far less often, which is why the design effect is there.
    """
    rng = np.random.default_rng(5)
    covered, naive, draws = 0, 0, 400
    for _ in range(draws):
        shown = rng.integers(1, 41, size=150)
        led = rng.binomial(shown, rng.beta(0.5, 4.5, size=150))
        n, x = int(shown.sum()), int(led.sum())
        counts = ArmCounts(n, x, x, 150, float(np.square(led - x / n * shown).sum()))
        made = rate(counts)
        covered += made.low <= 0.1 <= made.high
        low, high = wilson(x, n)
        naive += low <= 0.1 <= high
    assert 0.92 <= covered / draws <= 0.98
    assert naive / draws < 0.75


def test_from_the_store_to_a_difference(database):
    """Twenty people in each arm, one list each; 15 of the challenger's lead to an event, 5 of the other's."""
    with EventStore.open(database) as store:
        for arm, led in (("champion", 5), ("challenger", 15)):
            people = [f"{arm} {n}" for n in range(20)]
            store.log_recommendations(
                [Shown(f"r {who}", who, 100, arm, arm, "history", ("Heat", "Alien")) for who in people]
            )
            store.add(
                [Event(f"e {who}", who, "Alien", time=101, request_id=f"r {who}") for who in people[:led]]
            )
        arms = store.experiment()
        assert store.experiment(models={"champion": "champion", "challenger": "another"}) == {
            "champion": arms["champion"]
        }  # lists of a version that was replaced do not count for the new one
        assert store.experiment(models={}) == {}
    assert arms["champion"] == ArmCounts(20, 5, 5, 20, 20 * 0.25 * 0.75)
    assert rate(arms["challenger"]).rate == 0.75
    apart = difference(arms, "challenger", base="champion")
    assert apart.difference == pytest.approx(0.5)
    # Wilson at n = 19 (effect 20/19): 0.75 from 0.5255 to 0.8904, 0.25 mirrored; then Newcombe's roots.
    assert (apart.low, apart.high) == pytest.approx((0.1825, 0.6986), abs=5e-5)
