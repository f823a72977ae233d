"""This module says which arm of an experiment answers whom: a share of the users each, always the same."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

from butaca.errors import SettingError
from butaca.events.records import checked_text


def parse_split(text: str) -> dict[str, float]:
    """Returns the shares of a split as its text names them; they sum to 1.

    >>> parse_split("champion=0.9, challenger=0.1")
    {'champion': 0.9, 'challenger': 0.1}
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = (piece.strip() for piece in part.partition("="))
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not name or not equals or not 0 <= share <= 1:
            raise _wrong(f"{part.strip()!a} in {text!a}")
        if name in shares:
            raise _wrong(f"{name!a} twice in {text!a}")
        shares[checked_text(name, "name of an arm")] = share
    total = math.fsum(shares.values())
    if abs(total - 1) > 1e-6:
        raise _wrong(f"shares that sum to {total:g} in {text!a}")
    return {name: share / total for name, share in shares.items()}


def _wrong(received: str) -> SettingError:
    return SettingError(
        "A split gives each arm a name and a share from 0 to 1, and the shares sum to 1",
        received,
        "Write for instance champion=0.9,challenger=0.1",
    )


def arm_of(who: str, split: Mapping[str, float], *, salt: str = "") -> str:
    """Returns the arm of a user, or of a session or request where nobody is named.

    Weighted rendezvous hashing: each arm draws a uniform number from (salt, arm, who) and the
    largest log(number) / share wins, which happens with exactly the arm's share (Efraimidis and
    Spirakis 2006, "Weighted random sampling with a reservoir"; Thaler and Ravishankar 1998).

    - The same user gets the same arm, on any machine, whatever the order of the arms.
    - An arm whose share grows only gains users, one whose share shrinks only loses some; a new arm
      takes its users from all of the others in proportion.
    - Another salt draws anew, so that one experiment's arms say nothing about the next one's.

    >>> split = {"champion": 0.9, "challenger": 0.1}
    >>> [arm_of(str(user), split, salt="summer") for user in (1, 2, 3, 4)]
    ['champion', 'champion', 'champion', 'challenger']
    >>> sum(arm_of(str(user), split, salt="summer") == "challenger" for user in range(10_000))
    977
    """
    best, chosen = -math.inf, ""
    for arm, share in split.items():
        if share > 0:
            drawn = hashlib.sha256("\0".join((salt, arm, who)).encode("utf-8", "surrogatepass")).digest()
            number = (int.from_bytes(drawn[:8], "big") + 0.5) / 2.0**64
            score = math.log(number) / share
            if score > best or (score == best and arm < chosen):
                best, chosen = score, arm
    if not chosen:
        raise SettingError(
            "A split has an arm with a share", f"{dict(split)}", "Give at least one arm a share"
        )
    return chosen
