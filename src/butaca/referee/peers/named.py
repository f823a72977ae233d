"""This module names the peers: models of other libraries, what is searched of each, and how a library is had.

Nothing here imports a library; the module of a peer does, when the peer is fitted. First trials are the
libraries' own defaults, or what tuning on MovieLens 100K's training side found
(benchmarks/quality/settings.json); spaces are as wide as those of the baselines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from butaca.data.dataset import Dataset
from butaca.referee.contestants import Tunable
from butaca.referee.search import Between, OneOf, Settings
from butaca.types import Scorer

#: What pip installs, by the module that is imported. LightFM's fork is built for the Pythons of today.
LIBRARIES: Mapping[str, str] = {
    "implicit": "implicit",
    "lenskit": "lenskit",
    "lightfm": "rectools-lightfm",
    "rectools": "rectools",
}


@dataclass(frozen=True)
class PeerFit:
    """A PeerFit fits a peer by a function of its module, which is imported then.

    Attributes:
        module: in this package, named like the library.
        function: of it.
    """

    module: str
    function: str

    def __call__(self, train: Dataset, settings: Settings, *, seed: int) -> Scorer:
        """Returns the fitted peer."""
        found: Scorer = getattr(import_module(f"{__package__}.{self.module}"), self.function)(
            train, settings, seed=seed
        )
        return found


#: In the order of tables.
PEERS = (
    Tunable(
        "implicit ALS",
        PeerFit("implicit", "als"),
        start={"factors": 128, "regularization": 20.0, "alpha": 2.5, "iterations": 20},
        space={
            "factors": Between(16, 256, whole=True),
            "regularization": Between(0.01, 300.0),
            "alpha": Between(0.3, 30.0),
            "iterations": Between(5, 30, whole=True),
        },
        library="implicit",
    ),
    Tunable(
        "implicit BPR",
        PeerFit("implicit", "bpr"),
        start={"factors": 100, "learning_rate": 0.01, "regularization": 0.01, "iterations": 100},
        space={
            "factors": Between(16, 256, whole=True),
            "learning_rate": Between(1e-3, 0.3),
            "regularization": Between(1e-4, 0.3),
            "iterations": Between(20, 400, whole=True),
        },
        library="implicit",
        newcomers=False,
    ),
    Tunable(
        "implicit BM25",
        PeerFit("implicit", "bm25"),
        start={"K": 100, "K1": 1.2, "B": 0.75},
        space={
            "K": Between(10, 1000, whole=True),
            "K1": Between(0.1, 100.0),
            "B": Between(0.0, 1.0, even=True),
        },
        library="implicit",
    ),
    Tunable(
        "LensKit ImplicitMF",
        PeerFit("lenskit", "implicit_mf"),
        start={"embedding_size": 64, "regularization": 0.1, "weight": 40.0, "epochs": 10},
        space={
            "embedding_size": Between(16, 256, whole=True),
            "regularization": Between(0.01, 300.0),
            "weight": Between(0.3, 100.0),
            "epochs": Between(5, 20, whole=True),
        },
        library="lenskit",
    ),
    Tunable(
        "LensKit ItemKNN",
        PeerFit("lenskit", "item_knn"),
        start={"max_nbrs": 20, "save_nbrs": 1000},
        space={
            "max_nbrs": Between(5, 200, whole=True),
            "save_nbrs": OneOf((50, 100, 250, 1000)),
        },
        library="lenskit",
    ),
    Tunable(
        "LightFM WARP",
        PeerFit("lightfm", "warp"),
        start={
            "no_components": 64,
            "learning_rate": 0.05,
            "item_alpha": 0.0,
            "user_alpha": 0.0,
            "epochs": 30,
        },
        space={
            "no_components": Between(16, 256, whole=True),
            "learning_rate": Between(0.01, 0.2),
            "item_alpha": OneOf((0.0, 1e-6, 1e-5, 1e-4)),
            "user_alpha": OneOf((0.0, 1e-6, 1e-5, 1e-4)),
            "epochs": Between(10, 100, whole=True),
        },
        library="lightfm",
        newcomers=False,
    ),
    Tunable(
        "RecTools EASE",
        PeerFit("rectools", "ease"),
        start={"regularization": 500.0},
        space={"regularization": Between(10.0, 10_000.0)},
        library="rectools",
    ),
    Tunable(
        "RecTools PureSVD",
        PeerFit("rectools", "pure_svd"),
        start={"factors": 10},
        space={"factors": Between(4, 256, whole=True)},
        library="rectools",
        newcomers=False,
    ),
)
