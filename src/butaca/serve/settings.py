"""This module says how the service runs: one frozen record, documented here and in docs/service.md alone."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from butaca.catalogue.nouns import noun
from butaca.checks import check_fields
from butaca.errors import SettingError
from butaca.events.durations import seconds_of
from butaca.index.kinds import IndexKind

#: What a request may hold at most; fixed, so that the OpenAPI document can say so.
K_MAX, LIST_MAX, BATCH_MAX, ID_MAX, TEXT_MAX = 1_000, 1_000, 1_000, 512, 200

_HOST_NAME = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?|\[[0-9A-Fa-f:.]+\]"
)
_ROOT_PATH = re.compile(r"(/[\w.~-]+)+", re.ASCII)

#: Requests a second for each key, unless another rate is set: a fraction of what one process takes.
RATE_WITH_KEYS = 1_000.0


@dataclass(frozen=True)
class ServeSettings:
    """A ServeSettings holds the settings of `butaca serve`.

    Attributes:
        host: address to listen on. Anything but this machine's own needs API keys.
        port: to listen on; 0 takes a free one.
        events: where events, erasures, keys and shown lists are kept: a file (SQLite), or a PostgreSQL
            address.
        split: share of the users that each model answers, by model name, adding up to 1. Empty: the
            first model answers everyone.
        uds: a UNIX socket to listen on instead of host and port; whoever may write to its file may ask.
        root_path: the prefix of the page's and the API's addresses behind a proxy, such as /films.
        host_names: further names that the Host header may hold. On this machine's own address only
            localhost, 127.0.0.1 and [::1] are taken without; elsewhere any, unless some are named. They
            are how others call the service, so they need API keys.
        cors_origins: pages on other origins that may call the API, such as https://shop.example.
        trusted_proxies: addresses or networks of reverse proxies whose X-Forwarded-For is believed.
        max_body: bytes of a request's body.
        max_in_flight: requests in work at once; more are answered 503 with Retry-After, at once.
        max_connections: open at once; beyond, the one that has been silent the longest is closed.
        rate: requests a second for each key, or each client address without keys; 0 does not limit. None:
            `RATE_WITH_KEYS` where keys are needed, no limit where they are not.
        burst: requests that may come at once before `rate` holds.
        timeout: seconds for one request, its body included.
        staleness: seconds until what another process wrote to the event store is noticed here, and
            until a revoked key stops working.
        cached_users: people whose events are kept in memory, up to ten each on average (live.EACH).
        log_lists: whether every list that was shown is logged with its request_id, so that later events
            can point at it. Needed by the online comparison.
        keep_lists: how long logged lists are kept, such as 30d or 12h; 0 for ever. Events are always kept.
        log_queue: lists waiting to be logged; more are dropped and counted in the metrics.
        access_log: whether every request is logged, beside those that fail.
        index: exact, or approximate: quicker from about a million items on; answers say so. Needs the
            extra `ann`.
        noun: what the page calls the items, "book" or "artículo:artículos"; None: what the model says.
        picture_hosts: hosts that the page may load the items' pictures from, such as images.example.com;
            none shows no pictures.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    events: str = "events.db"
    split: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    uds: str | None = None
    root_path: str | None = None
    host_names: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 256 * 1024
    max_in_flight: int = 128
    max_connections: int = 1_000
    rate: float | None = None
    burst: int = 200
    timeout: float = 10.0
    staleness: float = 2.0
    cached_users: int = 50_000
    log_lists: bool = True
    keep_lists: str = "30d"
    log_queue: int = 10_000
    access_log: bool = False
    index: IndexKind = "exact"
    noun: str | None = None
    picture_hosts: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Returns the fields for a copy or another process, as what can be sent there."""
        return self.__dict__ | {"split": dict(self.split)}

    def __post_init__(self) -> None:
        check_fields(self)
        least = {
            "max_body": 1024,
            "max_in_flight": 1,
            "max_connections": 1,
            "burst": 1,
            "cached_users": 1,
            "log_queue": 1,
        }
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise SettingError(f"{name} is at least {lowest:,}", f"{name}={getattr(self, name)}")
        if not 0 <= self.port <= 65_535:
            raise SettingError("A port is a number from 0 to 65535", f"port={self.port}")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate >= 0):
            raise SettingError("rate is 0 (no limit) or more requests a second", f"rate={self.rate}")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise SettingError("timeout is a number of seconds above 0", f"timeout={self.timeout}")
        if not (math.isfinite(self.staleness) and self.staleness >= 0):
            raise SettingError("staleness is 0 or more seconds", f"staleness={self.staleness}")
        seconds_of(self.keep_lists, "keep_lists (--keep-lists)")
        self._check_names()
        for origin in self.cors_origins:
            if origin == "*" or "://" not in origin or origin.count("/") != 2:
                raise SettingError(
                    "An origin is a scheme and a host, named one by one",
                    repr(origin),
                    "Write it as the browser sends it: https://shop.example",
                )
        if self.noun is not None:
            noun(self.noun)
        for host in self.picture_hosts:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+(:\d{1,5})?", host.lower()):
                raise SettingError(
                    "A host of pictures is a name, without scheme or path",
                    repr(host),
                    "Write images.example.com, or *.example.com for all below it",
                )
        shares = list(self.split.values())
        if shares and not (all(s >= 0 for s in shares) and math.isclose(sum(shares), 1, abs_tol=1e-6)):
            raise SettingError(
                "The shares of a split are 0 or more and add up to 1",
                ", ".join(f"{name}={share:g}" for name, share in self.split.items()),
                "Write for instance champion=0.9,challenger=0.1",
            )

    def _check_names(self) -> None:
        for name in self.host_names:
            if not _HOST_NAME.fullmatch(name):
                raise SettingError(
                    "A host name is one without scheme, port or wildcard",
                    f"host_names: {name[:80]!r} (--host-name)",
                    "Write it as films.example, and several one by one",
                )
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise SettingError(
                    "A trusted proxy is an IP address or a network of them",
                    f"trusted_proxies: {proxy[:80]!r} (--trusted-proxy)",
                    "Write 127.0.0.1 or 10.0.0.0/8; names and * are not taken: others may come to have them",
                ) from None
        if self.root_path and not _ROOT_PATH.fullmatch(self.root_path):
            raise SettingError(
                "A root path begins with / and does not end with it",
                f"root_path: {self.root_path[:80]!r} (--root-path)",
                "Write it as /films",
            )

    def rate_limit(self, keys: bool) -> float:
        """Returns the rate that holds, with keys or without; 0 is none."""
        return self.rate if self.rate is not None else RATE_WITH_KEYS if keys else 0.0

    @property
    def is_local(self) -> bool:
        """Says whether only this machine can reach the service."""
        return self.uds is not None or is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Says whether an address is this machine's own.

    >>> [is_loopback(h) for h in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
