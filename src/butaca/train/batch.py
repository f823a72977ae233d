"""This module holds what a batch is made of, and the plan by which interactions become batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from butaca.errors import SettingError
from butaca.model.losses import Mask
from butaca.types import AnyArray, Codes, Floats, Ints, Times

Candidates: TypeAlias = Literal["in_batch", "full", "sampled"]


Shuffle: TypeAlias = Literal["once", "epoch"]


class HistoryRows(NamedTuple):
    """Holds the histories of a batch's queries, H entries.

    query int32 [H]: row into the queries, ascending; item int32 [H]: catalogue row, out of range where
    padded; weight float32 [H], 0 where padded; bins int32 [H] of the rating and age float32 [H] in days,
    or None.
    """

    query: AnyArray
    item: AnyArray
    weight: AnyArray
    bins: AnyArray | None
    age: AnyArray | None


class Windows(NamedTuple):
    """Holds histories in order: windows of them, packed into R rows of L places. Each place has a query.

    item int32 [R, L]: catalogue row, out of range where padded; begins bool [R, L]: whether a window begins
    there; gap float32 [R, L]: days since the place before it in the window, 0 where it begins; since float32
    [R, L]: days since the window began.
    """

    item: AnyArray
    begins: AnyArray
    gap: AnyArray
    since: AnyArray


class Batch(NamedTuple):
    """Holds one step's input; Q queries, L candidates over all shards, P positives, M known pairs.

    query_rows int32 [Q]: unique users, padded with the unknown user.
    candidate_rows int32 [L]: catalogue rows by slot, or None where slot = row (full catalogue).
    log_weight float32 [L]: a_c of losses.softmax_loss.
    positive_query, positive_slot int32 [P]; positive_weight float32 [P], 0 where padded, below 0 for a pair
        that its user said no to.
    known_query, known_slot int32 [M], or None: without the mask, and where users are whole, whose known pairs
        are the positives. A slot beyond all is padding.
        Of a sampled softmax, whose candidates are draws, both slots are catalogue rows: a positive need not
        be a candidate, and the step finds it a slot (slots.py).
    history: the queries' histories, or None where the query tower does not read them.
    """

    query_rows: AnyArray
    candidate_rows: AnyArray | None
    log_weight: AnyArray
    positive_query: AnyArray
    positive_slot: AnyArray
    positive_weight: AnyArray
    known_query: AnyArray | None
    known_slot: AnyArray | None
    history: HistoryRows | Windows | None = None


@dataclass(frozen=True)
class BatchPlan:
    """A BatchPlan says how interactions become batches.

    Attributes:
        size: pairs per batch; the last one holds the rest.
        by: "pair" draws pairs; "user" draws whole users, as many as have about `size` pairs, so that
            a query is computed once for all its positives; "place" draws windows of histories in order, and
            each place of them is a query of what came before it, with one positive.
        window: places of a history that are read at once, of "place".
        candidates: what the softmax runs over; see losses.
        mask: what leaves the denominator; see losses.
        samples: draws per step for "sampled".
        sampling_power: draws follow (times an item occurs) ** power; 0 is uniform.
        logq: whether a drawn item's weight is corrected for how often it is drawn.
        shuffle: "once" fixes the batches for all epochs (the notebook's cache), "epoch" draws anew.
        seed: of the order and of the draws.
    """

    size: int = 8192
    candidates: Candidates = "in_batch"
    mask: Mask = "none"
    samples: int = 8192
    sampling_power: float = 0.5
    logq: bool = True
    shuffle: Shuffle = "epoch"
    seed: int = 42
    by: Literal["pair", "user", "place"] = "pair"
    window: int = 200

    def __post_init__(self) -> None:
        if self.size < 1:
            raise SettingError("A batch holds at least one pair", f"batch_size={self.size}")
        if self.candidates == "sampled" and self.samples < 1:
            raise SettingError("A sampled softmax draws at least one item", f"samples={self.samples}")

    @property
    def tells_known(self) -> bool:
        """Says whether a batch lists known pairs: those of whole users are its positives."""
        return self.mask == "known" and self.by == "pair"


class UserRows(NamedTuple):
    """Holds histories as the step reads them.

    items int32 [total] by user, start int64 [U + 1]; for each item its rating's bin int32 [total] and its
    age in days float32 [total], or None; for histories in order its time in seconds [total], and how much
    finding it counts in the loss, float32 [total], or None.
    """

    items: Codes
    start: Ints
    bins: Codes | None = None
    age: Floats | None = None
    time: Times | None = None
    weight: Floats | None = None
