"""Draws docs/order.png, what each timescale hears: `python docs/order_picture.py` (needs the dev extra)."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

import butaca
from butaca.data.splits import leave_last_out
from butaca.model.order.moments import ordered
from butaca.model.order.timescales import Timescales

mpl.use("Agg")

from matplotlib import pyplot as plt

INK, MUTED, RED, BLUE = "#1c1c1c", "#8a8a8a", "#b3261e", "#1f5f8b"

#: A person's evenings, days before the last one: nobody of MovieLens.
EVENINGS = (
    (90.0, "Aladdin (1992)"),
    (89.9, "Pinocchio (1940)"),
    (60.0, "Fargo (1996)"),
    (59.9, "Pulp Fiction (1994)"),
    (30.0, "Jerry Maguire (1996)"),
    (2.0, "Star Wars (1977)"),
    (1.0, "Empire Strikes Back, The (1980)"),
    (0.0, "Return of the Jedi (1983)"),
)


def main() -> None:
    """Train on all but the last film of each user, and draw what each scale makes of one history."""
    ml = butaca.load_movielens("100k").keyed_by("movie_title")
    train, _ = leave_last_out(ml)
    model, _ = butaca.recipe("default").ordered("timescales").for_data(train, future=True).fit(train)
    reader = model.query_tower.history
    assert isinstance(reader, Timescales)
    items = np.array([ml.items.ids.code(title) for _, title in EVENINGS], dtype=np.int32)
    time = np.array([int((100 - days) * 86_400) for days, _ in EVENINGS])
    in_order = ordered(np.zeros(len(items), dtype=np.int64), items, time=time)
    by_scale = reader.weights(in_order)  # [8, K + A]
    kernel = reader.kernel(in_order)  # [8, d]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.4, 3.9), dpi=160, width_ratios=(1.25, 1))
    n_places = len(reader.half_lives)
    strength = np.abs(reader.mix).mean(axis=1)
    rows = np.arange(len(items))
    names = [f"{h:.1f} items" for h in reader.half_lives] + [_days(d) for d in reader.age_half_lives]
    shown = by_scale * strength / strength.max()
    image = left.imshow(shown.T, aspect="auto", cmap="Reds", vmin=0, vmax=1)
    left.set_yticks(np.arange(len(names)), names, fontsize=8)
    left.axhline(n_places - 0.5, color=INK, lw=0.8)
    left.set_xticks(rows, [title.rsplit(" (", 1)[0].removesuffix(", The") for _, title in EVENINGS],
                    rotation=35, ha="right", fontsize=8)  # fmt: skip
    left.set_title(
        "What each half-life hears of a history, times its weight", loc="left", fontsize=10, color=INK
    )
    figure.colorbar(image, ax=left, fraction=0.03, pad=0.02).ax.tick_params(labelsize=7)
    volume = np.sqrt((kernel**2).mean(axis=1))
    right.barh(rows, volume / volume.max(), color=[RED if i == len(items) - 1 else BLUE for i in rows])
    right.set_yticks(
        rows,
        [f"{title.rsplit(' (', 1)[0].removesuffix(', The')}, day {-days:.0f}" for days, title in EVENINGS],
        fontsize=8,
    )
    right.set_xlabel("how loud it is in the query, of the loudest", fontsize=9, color=INK)
    right.set_title("Together", loc="left", fontsize=10, color=INK)
    right.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(Path(__file__).with_name("order.png"), metadata={"Software": None})


def _days(days: float) -> str:
    return f"{days * 24:.1f} hours" if days < 1 else f"{days:.1f} days"


if __name__ == "__main__":
    main()
