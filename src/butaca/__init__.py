"""This package is butaca, a two-tower recommender that its owner can defend.

Importing butaca imports neither JAX nor DuckDB; the names below load their room when first used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

__version__ = version("butaca")

_ROOMS = {
    "butaca.baselines.ease": ("EASE",),
    "butaca.baselines.ials": ("IALS",),
    "butaca.baselines.item_knn": ("ItemKNN",),
    "butaca.baselines.markov_chain": ("MarkovChain",),
    "butaca.baselines.popularity": ("Popularity", "RecentPopularity"),
    "butaca.data.bags": ("Bags",),
    "butaca.data.dataset": ("Dataset", "Entities"),
    "butaca.data.histories": ("Histories",),
    "butaca.data.movielens.load": ("load_movielens",),
    "butaca.data.settled": ("signalled",),
    "butaca.data.signal": ("Signal",),
    "butaca.data.splits": (
        "leave_last_out",
        "random_split",
        "stratified_split",
        "temporal_split",
        "user_split",
        "validation_split",
    ),
    "butaca.data.tables": ("read_table", "read_test"),
    "butaca.data.vocabulary": ("Vocabulary",),
    "butaca.errors": ("ButacaError", "CollapseWarning"),
    "butaca.evaluate.protocol": ("Evaluation", "evaluate_scorer"),
    "butaca.evaluate.verdict": ("Comparison", "Verdict", "compare"),
    "butaca.index.exact": ("ExactIndex",),
    "butaca.model.features": ("Bag", "Buckets", "Category", "History", "Id", "Number", "Text"),
    "butaca.model.followers": ("FollowerSettings",),
    "butaca.model.neighbours": ("NeighbourSettings",),
    "butaca.model.spectral_settings": ("SpectralSettings",),
    "butaca.rank.fit": ("fit_ranker",),
    "butaca.rank.judge": ("judge_ranking",),
    "butaca.rank.ranker": ("Ranker",),
    "butaca.rank.settings": ("RankSettings",),
    "butaca.rank.two_stage": ("TwoStage",),
    "butaca.recipes": ("Recipe", "recipe"),
    "butaca.recommend.recommender": ("Recommender",),
    "butaca.train.callbacks": (
        "Callback",
        "Checkpoint",
        "EarlyStopping",
        "FitHistory",
        "Progress",
        "TensorBoard",
    ),
    "butaca.train.settings": ("TwoTowerSettings",),
    "butaca.two_tower": ("TwoTower",),
    "butaca.types": ("Scorer",),
}
_HOME = {name: module for module, names in _ROOMS.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'butaca' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from butaca.baselines.ease import EASE as EASE
    from butaca.baselines.ials import IALS as IALS
    from butaca.baselines.item_knn import ItemKNN as ItemKNN
    from butaca.baselines.markov_chain import MarkovChain as MarkovChain
    from butaca.baselines.popularity import Popularity as Popularity
    from butaca.baselines.popularity import RecentPopularity as RecentPopularity
    from butaca.data.bags import Bags as Bags
    from butaca.data.dataset import Dataset as Dataset
    from butaca.data.dataset import Entities as Entities
    from butaca.data.histories import Histories as Histories
    from butaca.data.movielens.load import load_movielens as load_movielens
    from butaca.data.settled import signalled as signalled
    from butaca.data.signal import Signal as Signal
    from butaca.data.splits import leave_last_out as leave_last_out
    from butaca.data.splits import random_split as random_split
    from butaca.data.splits import stratified_split as stratified_split
    from butaca.data.splits import temporal_split as temporal_split
    from butaca.data.splits import user_split as user_split
    from butaca.data.splits import validation_split as validation_split
    from butaca.data.tables import read_table as read_table
    from butaca.data.tables import read_test as read_test
    from butaca.data.vocabulary import Vocabulary as Vocabulary
    from butaca.errors import ButacaError as ButacaError
    from butaca.errors import CollapseWarning as CollapseWarning
    from butaca.evaluate.protocol import Evaluation as Evaluation
    from butaca.evaluate.protocol import evaluate_scorer as evaluate_scorer
    from butaca.evaluate.verdict import Comparison as Comparison
    from butaca.evaluate.verdict import Verdict as Verdict
    from butaca.evaluate.verdict import compare as compare
    from butaca.index.exact import ExactIndex as ExactIndex
    from butaca.model.features import Bag as Bag
    from butaca.model.features import Buckets as Buckets
    from butaca.model.features import Category as Category
    from butaca.model.features import History as History
    from butaca.model.features import Id as Id
    from butaca.model.features import Number as Number
    from butaca.model.features import Text as Text
    from butaca.model.followers import FollowerSettings as FollowerSettings
    from butaca.model.neighbours import NeighbourSettings as NeighbourSettings
    from butaca.model.spectral_settings import SpectralSettings as SpectralSettings
    from butaca.rank.fit import fit_ranker as fit_ranker
    from butaca.rank.judge import judge_ranking as judge_ranking
    from butaca.rank.ranker import Ranker as Ranker
    from butaca.rank.settings import RankSettings as RankSettings
    from butaca.rank.two_stage import TwoStage as TwoStage
    from butaca.recipes import Recipe as Recipe
    from butaca.recipes import recipe as recipe
    from butaca.recommend.recommender import Recommender as Recommender
    from butaca.train.callbacks import Callback as Callback
    from butaca.train.callbacks import Checkpoint as Checkpoint
    from butaca.train.callbacks import EarlyStopping as EarlyStopping
    from butaca.train.callbacks import FitHistory as FitHistory
    from butaca.train.callbacks import Progress as Progress
    from butaca.train.callbacks import TensorBoard as TensorBoard
    from butaca.train.settings import TwoTowerSettings as TwoTowerSettings
    from butaca.two_tower import TwoTower as TwoTower
    from butaca.types import Scorer as Scorer
