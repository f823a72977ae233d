"""Answers of towers that read a history in order: folders, events, requests in their order, reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from butaca.data.histories import Histories
from butaca.errors import BundleError, SettingError
from butaca.model.features import Id
from butaca.recommend.folder.bundle import load_bundle
from butaca.recommend.person import Given, extended
from butaca.recommend.recommender import Recommender
from butaca.two_tower import TwoTower
from tests.support.narrow import some
from tests.support.ordered import ADAM, SETTINGS, fitted, rounds


@pytest.fixture(params=SETTINGS)
def rec(request) -> Recommender:
    return Recommender.build(fitted(request.param, prior="popularity"), rounds())


@pytest.fixture
def attentive() -> Recommender:
    return Recommender.build(fitted("attention", prior="popularity"), rounds())


def ids(answer):
    return [item.id for item in answer.items]


def test_a_folder_answers_the_same(rec, tmp_path):
    loaded = Recommender.load(rec.save(tmp_path / "m"))
    for user in ("u00", "u17", "nobody"):
        assert ids(loaded.recommend(user)) == ids(rec.recommend(user))
    history = [("i03", None, 50), ("i04", None, 60), "i05"]
    a, b = (r.recommend(history=history, explain=True) for r in (rec, loaded))
    assert a == b
    assert a.source == "history"
    window = [some(some(parts.query_tower).history).window for parts in (load_bundle(tmp_path / "m"), rec)]
    assert window[0] == window[1]


def test_an_order_that_is_not_known_is_no_model(rec, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "butaca.recommend.folder.contents.reader_numbers", lambda _: {"order": "later", "window": 3}
    )
    rec.save(tmp_path / "m")
    with pytest.raises(BundleError, match="read by 'later'"):
        Recommender.load(tmp_path / "m")


def test_a_history_is_read_in_the_order_given(rec):
    """The last item counts most, whether the order is that of the list or of times."""
    first, second = ["i03", "i10", "i17"], ["i17", "i10", "i03"]
    assert ids(rec.recommend(history=first, k=5)) != ids(rec.recommend(history=second, k=5))
    timed = [("i17", None, 172_800), ("i10", None, 86_400), ("i03", None, 10)]
    scores = [
        {i.id: i.score for i in rec.recommend(history=h, k=24).items}
        for h in (timed, timed[::-1], [("i03", None, 10), ("i10", None, 86_400), ("i17", None, 172_800)])
    ]
    for other in scores[1:]:
        assert other == pytest.approx(scores[0], abs=1e-4)


def test_events_after_training_count_at_once_and_in_order(rec):
    """What a known user did since comes after all that training knew, the latest last."""
    before = rec.recommend("u05", k=24)
    had = set(rec.items.ids.values[rec.seen[5]].tolist())
    new = [name for name in rec.items.ids.values.tolist() if name not in had][:2]
    end = int(rec.seen.time.max())
    one, other = (
        rec.recommend("u05", k=24, later=[Given(a, None, end + 10), Given(b, None, end + 90_000)])
        for a, b in (new, new[::-1])
    )
    assert not {*new} & {*ids(one)}
    assert [i.score for i in one.items] != [i.score for i in other.items]
    assert ids(one) != [i for i in ids(before) if i not in new]


def test_what_was_had_since_training_stays_where_it_was_when_it_is_given_again(rec):
    """As what is stored does: its place and its age hold, unless a later time is given with it."""
    new = [name for name in rec.items.ids.values.tolist() if name not in rec.items.ids.values[rec.seen[5]]]
    a, b = new[:2]
    end = int(rec.seen.time.max())
    later = [Given(a, None, end + 10), Given(b, None, end + 3_000_000)]

    def scores(later, **asked):
        return {i.id: i.score for i in rec.recommend("u05", k=24, later=later, **asked).items}

    want = scores(later)
    for history in ([a], [b], [b, a], [(a, None, end - 5)]):
        assert scores(later, history=history) == pytest.approx(want, abs=1e-4), history
    moved = scores([later[1], Given(a, None, end + 4_000_000)])
    assert scores(later, history=[(a, None, end + 4_000_000)]) == pytest.approx(moved, abs=1e-4)
    assert moved != pytest.approx(want, abs=1e-4)
    with pytest.raises(SettingError, match="in seconds since 1970"):
        rec.recommend("u05", later=later, history=[(a, None, "yesterday")])


def test_times_of_a_history_that_is_extended():
    seen = Histories.from_pairs(
        np.zeros(3, np.int32), np.array([1, 2, 3], np.int32), n_users=1, time=np.array([10, 20, 30])
    )
    none, early = Given("x"), Given("x", None, 15)
    made = extended(seen, 0, added={7: none, 5: early, 4: none, 2: Given("x", None, 25)})
    assert dict(zip(made.items.tolist(), some(made.time).tolist(), strict=True)) == {
        1: 10, 2: 25, 3: 30, 7: 31, 5: 15, 4: 32,
    }  # fmt: skip
    earlier = extended(seen, 0, added={3: early, 1: none})
    assert some(earlier.time).tolist() == [10, 20, 30]
    someone_new = extended(seen, 9, added={7: none, 5: none})
    assert dict(zip(someone_new.items.tolist(), some(someone_new.time).tolist(), strict=True)) == {
        7: 31,
        5: 32,
    }


@pytest.mark.parametrize("stored", [np.array([10, 20, 30]), np.array([10.25, 20.5, 30.5])])
def test_fractions_of_a_history_that_is_extended_are_kept(stored):
    seen = Histories.from_pairs(np.zeros(3, np.int32), np.array([1, 2, 3], np.int32), n_users=1, time=stored)
    none, early, late = Given("x"), Given("x", None, 20.25), Given("x", None, 30.75)
    made = extended(seen, 0, added={7: none, 5: early, 4: none, 6: late, 2: late})
    times = dict(zip(made.items.tolist(), some(made.time).tolist(), strict=True))
    assert (times[5], times[6], times[2]) == (20.25, 30.75, 30.75)
    assert (times[1], times[3]) == (stored[0], stored[2])
    assert max(t for item, t in times.items() if item not in {4, 7}) < times[7] < times[4]
    end = stored.max()
    later = extended(seen, 0, added={7: none, 4: none})
    assert some(later.time)[-2:].tolist() == [end + 2, end + 1]  # of items 4 and 7
    someone_new = extended(seen, 9, added={7: none})
    assert some(someone_new.time).tolist() == [end + 1]
    assert some(someone_new.time).dtype == stored.dtype


def test_events_within_one_second_are_read_in_their_order(tmp_path):
    data = rounds()
    when = some(data.timestamp)
    quick = replace(data, timestamp=1_700_000_000 + (when - when.min()) / (np.ptp(when) + 1))
    model = TwoTower(candidate=(Id("item_id"),), dim=4, unit=True, **SETTINGS["timescales"])
    model.fit(quick, epochs=2, batch_size=200, optimizer=ADAM)
    Recommender.build(model, quick).save(tmp_path / "m")
    rec = Recommender.load(tmp_path / "m")
    np.testing.assert_array_equal(rec.seen.time, Histories.of(quick).time)
    names = rec.items.ids.values[:2].tolist()
    one, other = (
        rec.recommend(history=[(a, None, 1_700_000_000.25), (b, None, 1_700_000_000.75)])
        for a, b in (names, names[::-1])
    )
    backwards = rec.recommend(
        history=[(names[1], None, 1_700_000_000.75), (names[0], None, 1_700_000_000.25)]
    )
    assert [i.score for i in one.items] != pytest.approx([i.score for i in other.items], abs=1e-3)
    assert [i.score for i in one.items] == pytest.approx([i.score for i in backwards.items], abs=1e-4)


def test_reasons_say_what_they_are(rec, attentive):
    answer = rec.recommend("u07", k=5, explain=True)
    reasons = [reason for item in answer.items for reason in item.because]
    attends = rec.query_tower.history.parts.__qualname__.startswith("Attention")
    assert reasons
    assert {r.kind for r in reasons} == {"effect" if attends else "share"}


def test_shares_of_timescales_add_up(rec):
    if rec.query_tower.history.__class__.__name__ == "Attention":
        pytest.skip("attention has effects")
    for asked in ({"user": "u07"}, {"history": ["i01", "i08", "i09"]}, {"user": "u07", "history": ["i02"]}):
        answer = rec.recommend(**asked, k=6)
        shares = some(rec.explain([item.id for item in answer.items], **asked))
        np.testing.assert_allclose(shares.total(), [i.score for i in answer.items], rtol=1e-4, atol=1e-4)


def test_an_effect_is_the_score_less_the_score_without_the_item(attentive):
    history = ["i01", "i08", "i09", "i15"]
    whole = attentive.recommend(history=history, k=24, exclude_seen=False, explain=True)
    checked = 0
    for item in whole.items[:6]:
        for reason in item.because:
            without = [(h, None, t) for t, h in enumerate(history) if h != reason.id]
            # the latest of what is left is as late as it was: the window of times is the same
            left = attentive.recommend(history=without, k=24, exclude_seen=False)
            score = next(i.score for i in left.items if i.id == item.id)
            assert reason.share == pytest.approx(item.score - score, abs=1e-4)
            checked += 1
    assert checked >= 6


def test_less_moves_away(rec):
    plain = rec.recommend("u09", k=24)
    away = rec.recommend("u09", k=24, less=[ids(plain)[0]])
    assert ids(plain)[0] not in ids(away)
    assert [i.score for i in away.items] != [i.score for i in plain.items[1:]]


def test_a_batch_is_the_lists_one_by_one(rec):
    users = ["u00", "u31", "u58", "u59"]
    for user, answer in zip(users, rec.recommend_many(users, k=4), strict=True):
        assert ids(answer) == ids(rec.recommend(user, k=4))
