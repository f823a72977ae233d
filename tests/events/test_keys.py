"""API keys, on both databases."""

from __future__ import annotations

import hashlib
import hmac
import re
import time

import pytest
from sqlalchemy import select, text

from butaca.errors import SettingError, StoreError, UnknownEntityError
from butaca.events import keys as module
from butaca.events.schema import api_keys
from butaca.events.store import EventStore
from tests.support.narrow import some


def test_a_key_is_known_by_its_text_alone(store):
    made = store.keys.create("the page", ["read"])
    assert re.fullmatch(r"butaca_[0-9a-f]{12}_[0-9a-f]{64}", made)  # 256 bits
    key = store.keys.verify(made)
    assert (key.name, key.scopes, key.revoked) == ("the page", ("read",), None)
    assert made.split("_")[1] == key.id
    assert made.split("_")[2] not in repr(key)


@pytest.mark.parametrize(
    "change",
    [
        lambda k: k[:-1] + ("0" if k[-1] != "0" else "1"),
        lambda k: k + "0",
        lambda k: k.upper(),
        lambda k: k.replace("butaca", "another"),
        lambda k: k.split("_")[2],
        lambda k: "butaca_" + "0" * 12 + "_" + k.split("_")[2],
        lambda k: "_".join(k.split("_")[:2]) + "_",
        lambda k: "",
        lambda k: "butaca__",
        lambda k: "\ud800_\0_\ud800",
        lambda k: k + "\n",
    ],
)
def test_any_other_text_is_no_key(tmp_path, change):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        assert store.keys.verify(change(store.keys.create("page"))) is None


def test_the_secret_is_stored_as_its_hash_only(store):
    secret = store.keys.create("page").split("_")[2]
    with store._database.read() as connection:
        row = connection.execute(select(api_keys)).one()
    assert bytes(row.digest) == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(tuple(row))


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["read"], (True, False, False)),
        (["write"], (False, True, False)),
        ("read write", (True, True, False)),
        (["admin"], (True, True, True)),
    ],
)
def test_scopes(tmp_path, scopes, may):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        key = some(store.keys.verify(store.keys.create("k", scopes)))
        assert tuple(key.may(scope) for scope in module.SCOPES) == may


@pytest.mark.parametrize(("name", "scopes"), [("k", []), ("k", ["root"]), ("k", ""), ("", ["read"])])
def test_bad_keys_are_not_made(tmp_path, name, scopes):
    with EventStore.open(str(tmp_path / "events.db")) as store:
        with pytest.raises(SettingError):
            store.keys.create(name, scopes)
        assert store.keys.list() == ()


def test_a_revoked_key_ends_at_once(store):
    first, second = store.keys.create("first"), store.keys.create("second")
    assert store.keys.revoke(store.keys.verify(first).id).revoked is not None
    assert store.keys.verify(first) is None
    assert store.keys.verify(second).name == "second"
    assert [(key.name, key.revoked is None) for key in sorted(store.keys.list(), key=lambda k: k.name)] == [
        ("first", False),
        ("second", True),
    ]
    with pytest.raises(UnknownEntityError, match="no such"):
        store.keys.revoke("no such")


def test_revoking_again_keeps_the_first_time(store, monkeypatch):
    key = store.keys.verify(store.keys.create("k")).id
    first = store.keys.revoke(key).revoked
    monkeypatch.setattr(module, "now", lambda: first + 100)
    assert store.keys.revoke(key).revoked == first


def test_other_processes_see_new_and_revoked_keys_soon(database, store, monkeypatch):
    """Two stores on one database stand for two processes."""
    monkeypatch.setattr(module, "STALE", 0.05)
    with EventStore.open(database) as other:
        assert other.keys.verify("butaca_1_2") is None
        made = store.keys.create("k")
        time.sleep(0.06)
        assert some(other.keys.verify(made)).name == "k"
        store.keys.revoke(made.split("_")[1])
        time.sleep(0.06)
        assert other.keys.verify(made) is None


def test_verifying_asks_the_database_rarely_and_a_guess_not_more_often(store, monkeypatch):
    made = store.keys.create("k")
    monkeypatch.setattr(store.keys, "load", lambda: pytest.fail("the copy in memory is fresh"))
    for guess in (made, made + "0", "butaca_unknown_0", ""):
        store.keys.verify(guess)


def test_a_guess_of_the_id_is_compared_like_a_guess_of_the_secret(store, monkeypatch):
    made = store.keys.create("k")
    compared = []

    def compare(one, other):
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for guess in (made, made[:-1], "butaca_unknown_" + made.split("_")[2], "", "nothing like a key"):
        store.keys.verify(guess)
    assert compared == [(32, 32)] * 5


def test_the_last_use_is_noted(database):
    with EventStore.open(database) as store:
        used, unused = store.keys.create("used"), store.keys.create("unused")
        store.keys.verify(used)
        store.keys.verify(unused + "0")
    with EventStore.open(database) as store:
        last = {key.name: key.last_used for key in store.keys.list()}
        assert abs(some(last["used"]) - time.time()) < 60
        assert last["unused"] is None


def test_without_the_database_known_keys_stay_known(store):
    made = store.keys.create("k")
    with EventStore.open(store._database.url.render_as_string(False)) as late:
        with store._database.write() as connection:
            connection.execute(text("DROP TABLE api_keys"))
        store.keys._read_at = 0.0
        assert store.keys.verify(made).name == "k"
        with pytest.raises(StoreError):
            late.keys.verify(made)  # it never knew any
        late.keys._used.clear()
    store.keys._used.clear()


def test_a_key_expires(store, monkeypatch):
    key = store.keys.create("guest", expires=60)
    assert some(store.keys.verify(key)).name == "guest"
    (listed,) = store.keys.list()
    later = time.time() + 61
    assert listed.valid(later - 2)
    assert not listed.valid(later)
    monkeypatch.setattr("butaca.events.keys.time.time", lambda: later)
    assert store.keys.verify(key) is None
    for bad in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="expires after"):
            store.keys.create("guest", expires=bad)


def test_keys_are_known_without_the_database(store, monkeypatch):
    key = store.keys.create("guest")
    monkeypatch.setattr(store.keys, "load", lambda: pytest.fail("it is asked"))
    monkeypatch.setattr(store.keys, "_read_at", float("-inf"))
    assert some(store.keys.known(key)).name == "guest"
    assert store.keys.known(key + "0") is None
