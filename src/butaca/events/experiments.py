"""This module compares models online: the rate of lists that led to an event, with intervals.

People are assigned to arms, not requests, and one person's requests resemble each other. So an interval
that takes every request as independent is too narrow. Both intervals here take the effective number of
requests instead: n divided by the design effect, the variance between people over the variance that
independent requests would have (Kish 1965; Korn and Graubard 1998 put it into intervals of a share).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from butaca.errors import SettingError
from butaca.events.attribution import ArmCounts


def wilson(successes: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Returns Wilson's score interval of a share (Wilson 1927, JASA 22).

        (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)

    It stays within 0 and 1 and works for no successes, where p -+ z sqrt(p(1-p)/n) is a point. Without
    any trial it is everything. n may be an effective number.

    Example: 10 of 100 (Newcombe 1998, Statistics in Medicine 17, method 3, gives 0.0552 and 0.1744).

    >>> [round(end, 4) for end in wilson(10, 100)]
    [0.0552, 0.1744]
    >>> [round(end, 4) for end in wilson(0, 20)]  # z^2 / (n + z^2)
    [0.0, 0.1611]
    """
    if not 0 <= successes <= n:
        raise SettingError("A share is of 0 to n successes", f"{successes} of {n}", "Check the counts")
    if not 0 < level < 1:
        raise SettingError("The level of an interval lies between 0 and 1", f"{level}", "Try 0.95")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = successes / n
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def newcombe(
    one: tuple[float, float], other: tuple[float, float], *, level: float = 0.95
) -> tuple[float, float, float]:
    """Returns the difference of two independent shares, one - other, with Newcombe's hybrid score interval.

        low  = d - sqrt((p1 - l1)^2 + (u2 - p2)^2)
        high = d + sqrt((u1 - p1)^2 + (p2 - l2)^2),    l and u the ends of Wilson's intervals

    Newcombe (1998), "Interval estimation for the difference between independent proportions",
    Statistics in Medicine 17, 873-890, method 10. Its table II, case (a), 56/70 - 48/80: 0.2, from
    0.0524 to 0.3339.

    Args:
        one: successes and n of the first.
        other: of the second.
        level: of the interval.

    >>> [round(v, 4) for v in newcombe((56, 70), (48, 80))]
    [0.2, 0.0524, 0.3339]
    """
    (x1, n1), (x2, n2) = one, other
    (low1, high1), (low2, high2) = wilson(x1, n1, level=level), wilson(x2, n2, level=level)
    if not n1 or not n2:
        return math.nan, -1.0, 1.0
    p1, p2 = x1 / n1, x2 / n2
    low = p1 - p2 - math.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + math.hypot(high1 - p1, p2 - low2)
    return p1 - p2, low, high


def design_effect(counts: ArmCounts) -> float:
    """Returns how much wider than for independent requests the variance of the rate is; at least 1.

        (U / (U - 1)) * squares / (n p (1 - p))

    The linearised variance of a ratio over people, over the binomial one.

    Two people with 5 requests each: all of one's led to an event, none of the other's. p = 0.5, squares =
    2 * 2.5^2 = 12.5, n p (1 - p) = 2.5, so 2 * 12.5 / 2.5: ten requests say what one would.

    >>> design_effect(ArmCounts(10, 5, 5, 2, 12.5))
    10.0
    """
    n, x, users = counts.recommendations, counts.with_event, counts.users
    if users < 2 or not 0 < x < n:
        return 1.0
    binomial = n * (x / n) * (1 - x / n)
    return max(users / (users - 1) * counts.squares / binomial, 1.0)


@dataclass(frozen=True)
class Rate:
    """A Rate is an arm's share of recommendations that led to at least one event.

    Attributes:
        counts: what it comes from.
        rate: with_event / recommendations; NaN where nothing was shown.
        low, high: ends of its interval.
        effect: the design effect in the interval.
    """

    counts: ArmCounts
    rate: float
    low: float
    high: float
    effect: float


@dataclass(frozen=True)
class Difference:
    """A Difference is the rate of `arm` minus that of `base`; `low > 0` says that `arm` is better."""

    arm: str
    base: str
    difference: float
    low: float
    high: float


def _effective(counts: ArmCounts) -> tuple[float, float]:
    effect = design_effect(counts)
    return counts.with_event / effect, counts.recommendations / effect


def rate(counts: ArmCounts, level: float = 0.95) -> Rate:
    """Returns the rate of one arm with its interval: Wilson's, at the effective number of requests.

    >>> r = rate(ArmCounts(recommendations=100, with_event=10, events=12, users=100, squares=9.0))
    >>> f"{r.rate:.2f} from {r.low:.3f} to {r.high:.3f}"  # independent: 100/99 * 9/9, nearly 1
    '0.10 from 0.055 to 0.175'
    """
    n = counts.recommendations
    low, high = wilson(*_effective(counts), level=level)
    return Rate(counts, counts.with_event / n if n else math.nan, low, high, design_effect(counts))


def difference(arms: Mapping[str, ArmCounts], arm: str, *, base: str, level: float = 0.95) -> Difference:
    """Returns the rate of one arm minus another's: Newcombe's interval, at the effective numbers of requests.

    >>> same = ArmCounts(recommendations=80, with_event=48, events=48, users=80, squares=0.0)
    >>> more = ArmCounts(recommendations=70, with_event=56, events=60, users=70, squares=0.0)
    >>> d = difference({"champion": same, "challenger": more}, "challenger", base="champion")
    >>> f"{d.difference:.4f} from {d.low:.4f} to {d.high:.4f}"
    '0.2000 from 0.0524 to 0.3339'
    """
    empty = ArmCounts(0, 0, 0, 0, 0.0)
    one, other = (_effective(arms.get(name, empty)) for name in (arm, base))
    return Difference(arm, base, *newcombe(one, other, level=level))
