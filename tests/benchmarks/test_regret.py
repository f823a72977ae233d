"""The regret of a choice: by hand, as a page, as a picture, and on a small board."""

from __future__ import annotations

from benchmarks.shapes.regret import Regret, page, regret_of, summary
from benchmarks.shapes.regret_picture import draw

from butaca.data.splits import random_split
from tests.support.boards import checkerboard

#: The choice is a twentieth behind the best of one set, and itself the best of the other.
FOUND = [
    Regret("a shop", "even", 0.19, {"even": 0.19, "soft": 0.2, "unsearched": 0.1}, 2.0),
    Regret("films", "soft", 0.4, {"even": 0.3, "soft": 0.4, "unsearched": 0.2}, 3.0),
]


def test_the_mean_and_the_worst_are_by_hand():
    told = summary(FOUND)
    assert (told["mean"], told["worst"], told["worst_at"]) == (0.025, 0.05, "a shop")
    assert told["sets"]["films"]["regret"] == 0
    text = page(FOUND)
    assert "Mean regret 2.5%, the worst 5.0% (a shop)." in text
    assert "| films | soft, 0.4000 | 0.3000 | 0.4000 | 0.2000 | 0.0% |" in text


def test_it_is_drawn(tmp_path):
    draw({one.name: (one.value, one.others) for one in FOUND}, tmp_path / "regret.png")
    assert (tmp_path / "regret.png").read_bytes()[1:4] == b"PNG"


def test_every_member_of_the_portfolio_is_fitted_beside_the_choice():
    train, test = random_split(checkerboard(), test_share=0.3, seed=3)
    found = regret_of("board", train, test=test, split="random")
    assert found.chosen in found.others
    assert {"even", "soft", "unsearched"} <= set(found.others)
    assert 0 <= found.regret < 1
