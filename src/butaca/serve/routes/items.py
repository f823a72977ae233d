"""This module shows the catalogue: search as you type, one item, what is like it, filters, the map."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from butaca.errors import SettingError, UnknownEntityError
from butaca.serve.answering import items_json
from butaca.serve.http.problems import of_error
from butaca.serve.routes.common import PathId, TheService, json_response, packed_json, problems
from butaca.serve.schemas_out import FiltersAnswer, ItemFull, ItemList, MapAnswer, SimilarAnswer, ValuesAnswer
from butaca.serve.service import Service
from butaca.serve.serving import Loaded
from butaca.serve.settings import K_MAX, TEXT_MAX

router = APIRouter(prefix="/v1", tags=["items"])

Named = Annotated[
    str | None, Query(max_length=64, description="A model's name or version; the default one if left out.")
]
Limit = Annotated[int, Query(ge=1, le=100)]


def model_of(service: Service, named: str | None) -> Loaded:
    """Returns the model that a request names.

    Raises:
        Problem: 404, there is none called so.
    """
    serving = service.registry.serving
    try:
        return serving.default if named is None else serving.find(named)
    except UnknownEntityError as error:
        raise of_error(error, in_path=True) from None


def item_code(model: Loaded, asked: str) -> int:
    """Returns the code of the item with this id, or with this title.

    Raises:
        Problem: 404.
    """
    try:
        return model.recommender.find_item(asked)
    except UnknownEntityError as error:
        raise of_error(error, in_path=True) from None


@router.get(
    "/items", response_model=ItemList, responses=problems(404, 422), summary="Search titles as they are typed"
)
async def items(
    service: TheService,
    query: Annotated[
        str, Query(max_length=TEXT_MAX, description="Part of a title; case and accents are forgiven.")
    ] = "",
    *,
    limit: Limit = 10,
    model: Named = None,
) -> Response:
    """Finds the items whose titles fit what was typed so far; without a query the most popular ones."""
    loaded = model_of(service, model)
    found = loaded.recommender.catalogue.search(query, limit)
    return json_response({"items": [loaded.showcase.short(code) for code in found]})


@router.get(
    "/items/{id:segment}",
    response_model=ItemFull,
    responses=problems(404, 422),
    summary="One item with its features",
)
async def item(service: TheService, id: PathId, *, model: Named = None) -> Response:  # noqa: A002
    """Shows an item, by id or by title as a person spells it."""
    loaded = model_of(service, model)
    return json_response(loaded.showcase.full(item_code(loaded, id)))


@router.get(
    "/items/{id:segment}/similar",
    response_model=SimilarAnswer,
    responses=problems(404, 422),
    summary="Items like one",
)
async def similar(
    service: TheService,
    id: PathId,  # noqa: A002
    *,
    k: Annotated[int, Query(ge=1, le=K_MAX)] = 10,
    model: Named = None,
) -> Response:
    """Finds the items whose vectors point most nearly the same way.

    A score is the cosine, 1 at most, times a trust in the item by how many had it.
    """
    loaded = model_of(service, model)
    code = item_code(loaded, id)
    answer = loaded.recommender.similar(loaded.recommender.catalogue.ids[code], k)
    return json_response({"item": loaded.showcase.short(code), "items": items_json(answer, loaded.showcase)})


@router.get(
    "/filters", response_model=FiltersAnswer, responses=problems(404, 422), summary="What `where` takes"
)
async def filters(service: TheService, request: Request, *, model: Named = None) -> Response:
    """Lists the columns of the items' table that a person may want to filter by.

    Of labels the most frequent, with their counts and how many there are in all; of numbers their range,
    their decimals and, where they lie far apart, the `stops` of a slider; of dates their range; of yes and no
    both.
    """
    return packed_json(model_of(service, model).showcase.filters, request)


@router.get(
    "/filters/{column:segment}",
    response_model=ValuesAnswer,
    responses=problems(404, 422),
    summary="Search labels",
)
async def values(
    service: TheService,
    column: Annotated[str, Path(min_length=1, max_length=TEXT_MAX, description="Of `/v1/filters`.")],
    *,
    query: Annotated[str, Query(max_length=TEXT_MAX, description="How a word of it begins.")] = "",
    limit: Limit = 20,
    model: Named = None,
) -> Response:
    """Finds the labels of a column with a word that begins as typed, those of the most items first."""
    try:
        found = model_of(service, model).recommender.catalogue.filters.values(column, query, k=limit)
    except SettingError as error:
        raise of_error(error) from None
    return json_response({"values": [{"value": value, "count": count} for value, count in found]})


@router.get("/map", response_model=MapAnswer, responses=problems(404, 422), summary="The catalogue as a map")
async def catalogue_map(service: TheService, request: Request, *, model: Named = None) -> Response:
    """Shows every item's place, x and y from 0 to 1: what the same people had lies close.

    `method` is PCA at first, a sketch; the first to ask has it drawn by a process of its own, after which it
    is t-SNE.
    """
    return packed_json(await service.models.run(model_of(service, model).showcase.map), request)
