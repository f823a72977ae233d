"""This module limits rates by token buckets: a steady rate with a burst, for any number of clients."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict


class RateLimiter:
    """A RateLimiter keeps a token bucket for each client; the least recently seen is forgotten first.

    Args:
        rate: tokens a second; 0 does not limit.
        burst: tokens that a full bucket holds.
        size: clients remembered.
    """

    def __init__(self, rate: float, burst: float, *, size: int = 10_000) -> None:
        self.rate, self.burst, self.size = rate, burst, size
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait(self, client: str, now: float) -> float:
        """Takes a token and returns 0 if there was one, else the seconds until there is.

        >>> b = RateLimiter(rate=2, burst=1)
        >>> [b.wait("a", 10.0), b.wait("a", 10.0), b.wait("a", 10.5), b.wait("b", 10.5)]
        [0.0, 0.5, 0.0, 0.0]
        """
        if not self.rate:
            return 0.0
        tokens, at = self._buckets.get(client, (self.burst, now))
        tokens = min(self.burst, tokens + max(now - at, 0.0) * self.rate)
        enough = tokens >= 1
        self._buckets[client] = (tokens - 1 if enough else tokens, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self.size:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (1 - tokens) / self.rate


def client_name(address: str) -> str:
    """Returns whom an address counts as: an IPv6 client has a whole /64 to choose from.

    >>> client_name("192.0.2.7"), client_name("2001:db8::7")
    ('192.0.2.7', '2001:db8::')
    """
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)
    except ValueError:
        return address
