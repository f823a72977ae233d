"""This room asks a running service from Python: `Client`, and `AsyncClient` for asyncio.

It needs httpx (`pip install 'butaca[client]'`) and nothing else of butaca.
"""

from butaca.extras import needed

with needed("butaca.client"):
    import httpx as httpx

from butaca.client.answering import ServiceError
from butaca.client.calls import event
from butaca.client.one_by_one import Client
from butaca.client.together import AsyncClient

__all__ = ["AsyncClient", "Client", "ServiceError", "event"]
