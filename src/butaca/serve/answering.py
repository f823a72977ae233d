"""This module answers one list for one person, as JSON: what is known of them, put to their model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import orjson

from butaca.errors import ButacaError
from butaca.events.records import Shown
from butaca.recommend.answers import Recommendation
from butaca.recommend.person import Given
from butaca.recommend.recommender import Recommender
from butaca.serve.http.problems import of_error
from butaca.serve.live import LivePerson
from butaca.serve.schemas import Conditions, HistoryItem, RecommendRequest, parse, seconds_of
from butaca.serve.service import Service
from butaca.serve.serving import Loaded
from butaca.serve.showcase import Showcase
from butaca.serve.telemetry import uuid7

#: Answers in place of the model, so that a benchmark can tell our share of the time from the server's.
Stub = Callable[[Loaded, RecommendRequest], Recommendation]

NOBODY = LivePerson()


class Answering:
    """An Answering answers POST /v1/recommend from the bytes of its body."""

    def __init__(self, service: Service, stub: Stub | None = None) -> None:
        self._service, self._stub = service, stub

    async def __call__(self, body: bytes) -> bytes:
        """Returns the JSON of a list.

        Raises:
            Problem: the request can't be answered.
        """
        started = time.perf_counter()
        asked = parse(RecommendRequest, body)
        user = None if asked.user is None else str(asked.user)
        live = self._service.live
        person = NOBODY if user is None else live.at_hand(user) or await live.of(user)
        model, arm = self._choose(asked.model, user)
        try:
            if self._stub is not None:
                answer = self._stub(model, asked)
            else:
                answer = ask(model.recommender, asked, user=user, person=person)
        except ButacaError as error:
            raise of_error(error) from None
        if person.unread:
            self._service.telemetry.unread.inc()
        return self._written(
            answer, model, arm, user=user, started=started, explained=asked.explain, unread=person.unread
        )

    def _choose(self, named: str | None, user: str | None) -> tuple[Loaded, str | None]:
        """Returns the model that answers, and the arm of the split that the person is in."""
        registry = self._service.registry
        serving = registry.serving
        if named is not None:
            try:
                return serving.find(named), None
            except ButacaError as error:
                raise of_error(error, in_path=True) from None
        if registry.split and user is not None:
            arm = registry.arm_of(user)
            return serving.active[arm], arm
        return serving.default, None

    def _written(
        self,
        answer: Recommendation,
        model: Loaded,
        arm: str | None,
        *,
        user: str | None,
        started: float,
        explained: bool,
        unread: bool,
    ) -> bytes:
        service = self._service
        request_id = uuid7()
        if service.shown.enabled:
            items = tuple([str(item.id) for item in answer.items])
            row = Shown(request_id, user, int(time.time()), model.version, arm, answer.source, items)
            service.shown.put(row)
        service.telemetry.listed(answer.source, model.name)
        content = {
            "request_id": request_id,
            "model_version": model.version,
            "model": model.name,
            "arm": arm,
            "took_ms": round((time.perf_counter() - started) * 1000, 3),
            "source": answer.source,
            "user": user,
            "without_events": unread,
            "history": answer.history,
            "unknown": answer.unknown,
            "approximate": answer.approximate,
            "items": items_json(answer, model.showcase if explained else None),
        }
        return orjson.dumps(content)


def ask(
    recommender: Recommender, asked: RecommendRequest, *, user: str | None, person: LivePerson
) -> Recommendation:
    """Puts a request to a model, with what the person did since training.

    Of an erased person the model's own memory is not used: who comes now is new. A model that reads no
    history takes events only as what to leave out.
    """
    known = None if user is None or person.erased or not same_id(recommender, user) else user
    exclude: list[Any] = [*asked.exclude]
    later, less = person.in_catalogue(recommender.catalogue.known)
    if later and recommender.query_tower is None:
        if recommender.leaves_seen(asked.exclude_seen):
            exclude += [given.item for given in later]
        later = ()
    where = None if asked.where is None else {name: _condition(c) for name, c in asked.where.items()}
    return recommender.recommend(
        known,
        asked.k,
        history=[_given(entry) for entry in asked.history],
        later=later,
        less=[*asked.less, *less],
        exclude=exclude,
        allow=asked.allow,
        where=where,
        exclude_seen=asked.exclude_seen,
        explain=asked.explain,
        variety=asked.variety,
        freshness=asked.freshness,
        rank=asked.rank,
        skip_unknown=True,
    )


def same_id(recommender: Recommender, user: str) -> bool:
    """Says whether a model that knows this user knows them by this very text: "021" is not the user 21.

    Erasures and events go by the text.
    """
    ids = recommender.users.ids
    if ids.is_text:
        return True
    code = ids.code(user)
    return code == ids.unknown or str(ids.values[code]) == user


def _given(entry: str | int | HistoryItem) -> Given:
    if not isinstance(entry, HistoryItem):
        return Given(entry)
    return Given(entry.item, entry.value, None if entry.time is None else seconds_of(entry.time))


def _condition(condition: Any) -> Any:
    if isinstance(condition, Conditions):
        return condition.model_dump(by_alias=True, exclude_none=True)
    return condition


def items_json(answer: Recommendation, showcase: Showcase | None = None) -> list[dict[str, Any]]:
    """Returns the items of a list as JSON values; with genres and year, if there is a showcase to ask."""
    out: list[dict[str, Any]] = []
    for item in answer.items:
        entry = {
            "id": item.id,
            "title": item.title,
            "score": item.score,
            "stage": item.stage,
            "because": [reason._asdict() for reason in item.because],
        }
        if item.place is not None:  # there is a second stage
            entry["retrieval_score"], entry["place"] = item.retrieval, item.place
            entry["moved"] = [
                {"feature": m.feature, "value": None if math.isnan(m.value) else m.value, "points": m.points}
                for m in item.moved
            ]
        out.append(entry if showcase is None else entry | showcase.kind(item.id))
    return out
