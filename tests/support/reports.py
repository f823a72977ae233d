"""A report's page as a parser reads it, and a recommender of any size to report on."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np

from butaca.data.dataset import Entities
from butaca.data.histories import Histories
from butaca.data.vocabulary import Vocabulary
from butaca.recommend.recommender import Recommender

VOID = {"meta", "input", "br", "link", "img"}


ALONE = {"line", "circle", "rect", "path", "polyline"}


class Page(HTMLParser):
    """What a page is made of; fails on a tag that is not closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in ALONE, tag
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.scripts if self.open and self.open[-1] in {"script", "style"} else self.text).append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def made(n_users, n_items, dim=8, seed=0, popular=1.3, **columns):
    """A recommender of random vectors over a catalogue of any size, without a test set."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(n_users, dtype=np.int32), 12)
    item = np.minimum(rng.zipf(popular, len(user)) - 1, n_items - 1).astype(np.int32)
    return Recommender(
        Entities("user", Vocabulary.of([f"u{u:05d}" for u in range(n_users)])),
        Entities("item", Vocabulary.of([f"i{i:05d}" for i in range(n_items)]), columns),
        rng.normal(size=(n_users + 1, dim)).astype(np.float32),
        rng.normal(size=(n_items, dim)).astype(np.float32),
        Histories.from_pairs(user, item, n_users=n_users),
        np.bincount(item, minlength=n_items).astype(np.float32),
    )
