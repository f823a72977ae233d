"""Fixtures of the tests that train on a Ray cluster; each file starts its own."""

from __future__ import annotations

from tests.support.ray_training import cluster, prepared_board, raylets  # noqa: F401  (fixtures)
