"""This module decides what an answer means: a value, an error, or another try after a wait."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import httpx

from butaca.client.calls import Call
from butaca.errors import ButacaError, SettingError

Answer = TypeVar("Answer")

#: Statuses that pass by themselves: too many requests, a proxy without its service, overload, no time left.
PASSING = frozenset({429, 502, 503, 504})

#: Seconds before the second try, which double with each further one up to the last figure.
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0


class ServiceError(ButacaError, RuntimeError):
    """A ServiceError says that the service refused a request, or could not be asked in the time there was.

    Attributes:
        status: of HTTP; 0 where no answer came.
        kind: what the problem is called, such as "unknown-entity"; "" where the answer is none of ours.
        request_id: finds it in the service's log; "" where there is none.
        errors: each broken rule of a request and its place.
    """

    status = 0
    kind = ""
    request_id = ""
    errors: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Tries:
    """A Tries says how long a client tries a request.

    Attributes:
        timeout: seconds for one try.
        total: seconds for all tries of a request and the waits between; 0 tries once.
    """

    timeout: float
    total: float

    def __post_init__(self) -> None:
        """Checks both."""
        if not (self.timeout > 0 and self.total >= 0):
            raise SettingError(
                "A client waits some seconds for an answer, and none or some to try again",
                f"timeout={self.timeout}, patience={self.total}",
                "Write for instance timeout=10, patience=30",
            )

    def wait(self, tries: int, *, passed: float, asked: float) -> float | None:
        """Returns the seconds until the next try, or None where there is no time for it.

        A random part of the wait keeps clients that failed together from coming back together.

        Args:
            tries: that were made.
            passed: seconds since the first began.
            asked: seconds that the service asked for, at least.
        """
        grown = min(FIRST_WAIT * 2.0 ** (tries - 1), LONGEST_WAIT)
        wait = asked + grown * random.uniform(0.5, 1.0)  # noqa: S311 - nobody is kept out by it
        return wait if passed + wait <= self.total else None


def check_address(url: str) -> None:
    """Checks an address, so that a scheme that was forgotten is said at once.

    Raises:
        SettingError: it is none.
    """
    if not url.startswith(("http://", "https://")):
        raise SettingError(
            "An address begins with http:// or https://", repr(url), "Write http://127.0.0.1:8000"
        )


def headers_of(key: str | None) -> dict[str, str]:
    """Returns what every request carries."""
    known = {"accept": "application/json", "content-type": "application/json"}
    return known if key is None else known | {"authorization": f"Bearer {key}"}


def request_of(call: Call[Answer], http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Returns a call as a request of httpx."""
    params = {name: value for name, value in call.params.items() if value is not None}
    return http.build_request(call.method, call.path, params=params or None, json=call.body)


def passes(answer: httpx.Response | httpx.TransportError) -> float | None:
    """Returns for how many seconds a service asks us to stay away, if trying again may help; else None."""
    if isinstance(answer, httpx.TransportError):
        return None if isinstance(answer, httpx.UnsupportedProtocol) else 0.0
    if answer.status_code not in PASSING:
        return None
    after = answer.headers.get("retry-after", "")
    return float(after) if after.isdigit() else 0.0


def value_of(call: Call[Answer], answer: httpx.Response | httpx.TransportError) -> Answer:
    """Returns what a service answered.

    Raises:
        ServiceError: it refused, or there is no answer.
    """
    if isinstance(answer, httpx.TransportError):
        raise ServiceError(
            "A service answers at its address",
            f"{answer.request.url}: {type(answer).__name__} {answer}".rstrip(),
            "Start it with `butaca serve`, or correct the address",
        ) from answer
    if answer.is_success:
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        value: Answer = answer.json() if is_json else cast(Any, answer.text)
        return value
    raise problem_of(answer)


def problem_of(answer: httpx.Response) -> ServiceError:
    """Returns the error of an answer that is none, with the rule, what was received and the cure."""
    try:
        said = answer.json()
        error = ServiceError(said["rule"], said["received"], said["cure"])
        error.kind = str(said["type"]).rpartition(":")[2]
        error.request_id = said.get("request_id") or ""
        error.errors = tuple(said.get("errors") or ())
    except (ValueError, KeyError, TypeError):
        error = ServiceError(
            "A service of butaca answers, or says why not",
            f"{answer.status_code} from {answer.request.url}",
            "Check the address, and what lies between",
        )
    error.status = answer.status_code
    return error
