"""This module says what a TwoTower is: its settings, checked when they are stated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from butaca.baselines.popularity import HALF_LIFE_SHARE
from butaca.checks import check_fields
from butaca.errors import SettingError
from butaca.model.features import Feature, History, Id, Order
from butaca.model.followers import FollowerSettings
from butaca.model.losses import Mask
from butaca.model.neighbours import NeighbourSettings
from butaca.model.spectral_settings import SpectralSettings
from butaca.train.batch import Candidates, Shuffle
from butaca.train.blend import Blend

#: Up to this many items the softmax runs over the whole catalogue unless asked otherwise.
FULL_SOFTMAX_ITEMS = 100_000

SoftmaxChoice: TypeAlias = Literal["auto", "in_batch", "full", "sampled"]
MaskChoice: TypeAlias = Literal["auto", "none", "accidental", "known"]
Prior: TypeAlias = Literal["none", "popularity", "recent"]
Start: TypeAlias = Literal["uniform", "spectral"]


@dataclass(frozen=True)
class TwoTowerSettings:
    """Says what a TwoTower is; each field is documented here and nowhere else.

    Attributes:
        query: features of the query tower: columns of the users' table, and `History` for the items that
            a user has had. With it, batches hold whole users.
        candidate: features of the candidate tower, columns of the items' table. The first Id says
            what a candidate is: items that share its value are one.
        dim: columns of the embeddings and of both towers' vectors.
        hidden: widths of hidden layers after the sum of embeddings; () is the plain sum.
        softmax: what a positive competes with. "in_batch": the other items of its batch, the
            notebook's loss; "full": the catalogue; "sampled": draws with logQ correction; "auto":
            full up to 100,000 items, else sampled.
        mask: what leaves the denominator. "none"; "accidental": further copies of the positive's own
            item; "known": all items its user is known to have had; "auto": known for in-batch and
            sampled, none for full.
        samples: draws per step of the sampled softmax.
        sampling_power: draws follow (times an item occurs) ** power; 0 is uniform.
        logq: correct the sampled softmax for how often each item is drawn (Bengio and Senecal 2008); off only
            to see what that is worth.
        unit: give both towers' vectors length 1, so that a score is a cosine over the temperature.
        temperature: scores are divided by it.
        prior: a learned term of each item alone, and where it starts: "popularity", the log of its
            interactions; "recent", of those weighted by recency; "none" leaves the term out.
        prior_power: the start is multiplied by it.
        prior_half_life: of that recency, in parts of the time that the data span.
        start: of id and history tables: "spectral", the leading eigenvectors of which items occur
            together (model/spectral.py), the same on both sides; "uniform", noise.
        spectral: of that start, and of the closed-form tower that stands beside the trained one
            (its vectors are concatenated); None leaves the latter out.
        trusted_from: items from which on a history is trusted in full. The query vector of a shorter one, of
            n items, is multiplied by (n / trusted_from) ** trust_power once trained, so that the prior, what
            most people have, weighs more; 0 trusts every history.
        trust_power: that power.
        followers: once trained, how much what followed upon what counts (model/followers.py): pairs of items,
            in the place of those of `spectral`; None, or data without times: nothing.
        neighbours: the same for what its nearest neighbours say of each item (model/neighbours.py); not both.
        blend: once trained, how much of a score is personal, and how much what is popular just now
            (train/blend.py); None leaves it as training gives it.
        cold_features: columns of the items' table that stand in for interactions where an item has none:
            once trained, its vectors and bias are those that its features suggest (model/cold.py); ()
            leaves them as the towers have them.
        newcomer_features: columns of the users' table that stand in for a history where a user has none: once
            trained, the query vector is that of people of whom they say the same (model/newcomers.py); ()
            leaves it as the query tower has it.
        l2: weight of the squared length of every positive's two vectors; nothing for unit vectors.
        dislikes: how much a pair that a user said no to (`Dataset.negatives`) counts in the loss, against,
            beside a positive's 1; 0 learns nothing of them. Histories in order, and vectors that are not of
            unit length, take 0 alone.
        shuffle: "epoch" draws new batches each epoch; "once" keeps the first, as the notebook's
            cache does, which also builds them only once.
        seed: of initial parameters, order and draws; the same seed gives the same bits.
        devices: JAX devices that the catalogue is split over; None takes all.
    """

    query: tuple[Feature, ...] = (Id("user_id"),)
    candidate: tuple[Feature, ...] = (Id("movie_title"),)
    dim: int = 32
    hidden: tuple[int, ...] = ()
    softmax: SoftmaxChoice = "auto"
    mask: MaskChoice = "auto"
    samples: int = 8192
    sampling_power: float = 0.5
    logq: bool = True
    unit: bool = False
    temperature: float = 1.0
    prior: Prior = "none"
    prior_power: float = 1.0
    prior_half_life: float = HALF_LIFE_SHARE
    start: Start = "uniform"
    spectral: SpectralSettings | None = None
    trusted_from: int = 0
    trust_power: float = 0.75
    followers: FollowerSettings | None = None
    neighbours: NeighbourSettings | None = None
    blend: Blend | None = None
    cold_features: tuple[Feature, ...] = ()
    newcomer_features: tuple[Feature, ...] = ()
    l2: float = 0.0
    dislikes: float = 0.0
    shuffle: Shuffle = "epoch"
    seed: int = 42
    devices: int | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if self.samples < 1 or (self.devices is not None and self.devices < 1):
            raise SettingError(
                "samples and devices are at least 1", f"samples={self.samples}, devices={self.devices}"
            )
        if self.dim < 1:
            raise SettingError("Vectors have at least one dimension", f"dim={self.dim}", "Try dim=32")
        if any(h < 1 for h in self.hidden):
            raise SettingError("Hidden layers have at least one unit", f"hidden={self.hidden}")
        if not 0 <= self.dislikes < math.inf or (self.dislikes and (not self.unit or self.order is not None)):
            raise SettingError(
                "dislikes is 0 or more, and 0 but for unit vectors and a history without an order",
                f"dislikes={self.dislikes}, unit={self.unit}, order={self.order!r}",
                "Leave it at 0, or pass unit=True",
            )
        if self.followers is not None and self.neighbours is not None:
            raise SettingError(
                "Single pairs of items are of one kind, what followed or neighbours",
                f"{self.followers} and {self.neighbours}",
                "Leave one of them at None",
            )
        if self.l2 < 0:
            raise SettingError("l2 is 0 or more", f"l2={self.l2}")
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise SettingError(
                "A temperature is above 0 and finite", f"temperature={self.temperature}", "Try 0.25"
            )
        for name in ("l2", "prior_power", "sampling_power"):
            if not math.isfinite(getattr(self, name)):
                raise SettingError(f"{name} is finite", f"{name}={getattr(self, name)}")
        if not self.prior_half_life > 0:
            raise SettingError(
                "A prior's half-life is above 0", f"prior_half_life={self.prior_half_life}", "Try 0.1"
            )
        if self.trusted_from < 0 or not (self.trust_power >= 0 and math.isfinite(self.trust_power)):
            raise SettingError(
                "trusted_from is 0 or more, trust_power too and finite",
                f"trusted_from={self.trusted_from}, trust_power={self.trust_power}",
                "Try 10 and 0.75",
            )
        if self.seed < 0:
            raise SettingError("A seed is 0 or more", f"seed={self.seed}")
        choices = (("softmax", SoftmaxChoice), ("mask", MaskChoice), ("prior", Prior), ("start", Start))
        for name, of in (*choices, ("shuffle", Shuffle)):
            if getattr(self, name) not in get_args(of):
                raise SettingError(
                    f"{name} is one of " + ", ".join(get_args(of)), repr(getattr(self, name)), "Correct it"
                )
        if sum(isinstance(f, History) for f in self.query) > 1:
            raise SettingError(
                "A query tower reads one history", f"query={list(self.query)}", "Declare one History"
            )
        history = self.history
        if history is not None and history.order == "attention" and self.dim % history.heads:
            raise SettingError(
                "Heads of attention share the dimensions evenly",
                f"dim={self.dim}, heads={history.heads}",
                "Take a number of heads that divides dim",
            )
        if any(
            isinstance(f, History) for f in (*self.candidate, *self.cold_features, *self.newcomer_features)
        ):
            raise SettingError(
                "A history belongs to the query tower",
                "History among the items' features, or those of people without one",
                "Move it to query",
            )
        for name, features in (("query", self.query), ("candidate", self.candidate)):
            columns = [f.column for f in features]
            if not features or len(set(columns)) != len(columns):
                raise SettingError(
                    f"The {name} tower reads at least one feature, each column once",
                    f"columns {columns}",
                    'Declare for example [Id("user_id"), Category("user_occupation_text")]',
                )

    @property
    def history(self) -> History | None:
        """Returns the history that the query tower reads."""
        return next((f for f in self.query if isinstance(f, History)), None)

    @property
    def order(self) -> Order | None:
        """Returns the order in which the query tower reads its history; None: none, or no history."""
        return None if self.history is None else self.history.order

    @property
    def candidate_id(self) -> str:
        """Returns the column that says what a candidate is, "" where none does."""
        return next((f.column for f in self.candidate if isinstance(f, Id)), "")

    def softmax_for(self, n_items: int) -> Candidates:
        """Returns the softmax that "auto" means for a catalogue of this size."""
        if self.softmax != "auto":
            return self.softmax
        return "full" if n_items <= FULL_SOFTMAX_ITEMS else "sampled"

    def mask_for(self, softmax: Candidates) -> Mask:
        """Returns the mask that "auto" means for a softmax."""
        if self.mask != "auto":
            return self.mask
        return "none" if softmax == "full" else "known"
