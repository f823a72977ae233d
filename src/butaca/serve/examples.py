"""This module makes the examples of the API's document from the ids, titles and columns of the model."""

from __future__ import annotations

from typing import Any

from butaca.catalogue.choices import Choice
from butaca.recommend.recommender import Recommender


def request_examples(recommender: Recommender) -> dict[str, dict[str, Any]]:
    """Returns the examples of each body, by path: a known user, someone new, a filtered list, a rating.

    Args:
        recommender: whose ids, titles and columns they name.
    """
    catalogue = recommender.catalogue
    codes = catalogue.search("", 3)
    titles = [catalogue.titles[code] for code in codes]
    users = recommender.users.ids.values.tolist()
    user = str(users[0]) if users else "21"
    recommend: dict[str, Any] = {
        "known": {"summary": "A known user", "value": {"user": user, "k": 3}},
        "new": {
            "summary": "Someone new, with reasons",
            "value": {
                "history": [titles[0], *({"item": title, "value": 4} for title in titles[1:2])],
                "k": 10,
                "explain": True,
            },
        },
    }
    where = _conditions(catalogue.filters.choices())
    if where:
        recommend["filtered"] = {
            "summary": "Only what meets conditions",
            "value": {"history": titles[-1:], "where": where},
        }
    event = {"id": "a-1", "user": user, "item": titles[-1], "kind": "rate", "value": 5}
    return {
        "/v1/recommend": recommend,
        "/v1/events": {"rating": {"summary": "A rating", "value": {"events": [event]}}},
    }


def _conditions(choices: list[Choice]) -> dict[str, Any]:
    """Returns a condition on the first column of labels, and one on the first of numbers."""
    where: dict[str, Any] = {}
    labels = next((c for c in choices if c.kind == "labels" and len(c.values) > 1), None)
    if labels is not None:
        where[labels.name] = [value for value, _ in labels.values[:2]]
    number = next((c for c in choices if c.kind == "number"), None)
    if number is not None and number.low is not None and number.high is not None:
        middle = number.stops[len(number.stops) // 2] if number.stops else (number.low + number.high) / 2
        where[number.name] = {"min": round(middle, number.digits)}
    return where
