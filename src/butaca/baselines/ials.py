"""This module holds iALS, implicit alternating least squares, with the regularisation that it needs."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from butaca.baselines.from_history import FromHistory
from butaca.checks import finite_number, whole_number
from butaca.errors import SettingError
from butaca.types import Floats

#: Numbers whose products are taken at once, half a megabyte that stays in the cache; what nothing divides by.
NUMBERS, TINY = 1 << 17, np.float32(1e-30)

#: Steps for a user's vector, found from nothing, are so many times those of a round.
ANSWER_TIMES = 4


class IALS(FromHistory):
    """Scores by the product w . h of two vectors, minimising a squared error over all pairs.

        sum over pairs had of (w . h - 1)^2  +  alpha sum over all pairs of (w . h)^2
            +  l2 (sum over users of (had_u + alpha N)^nu |w|^2  +  the same of items, with U for N)

    Hu, Koren and Volinsky 2008; the regularisation scaled by frequency and the cheap constant term are
    what Rendle et al. 2021 ("Revisiting the performance of iALS") found it to lack. With one side fixed
    the other has a closed form, d x d for each row. A user's vector is found anew from the history. Where
    interactions have weights, a pair's error counts by its weight, in parts of the mean one.

    Args:
        dim: of the vectors.
        alpha: weight of the pairs that nobody had.
        l2: weight of the penalty.
        nu: power of the frequency in it.
        epochs: rounds of users, then items.
        scale: standard deviation of the first vectors, over sqrt(dim).
        seed: of the first vectors.
        steps: of conjugate gradients that better each side in a round, from where it stood (Takács et al.
            2011): in time with dim where the closed form takes its cube. None: the closed form.
    """

    def __init__(
        self,
        dim: int = 94,
        alpha: float = 0.281,
        *,
        l2: float = 0.00561,
        nu: float = 1.145,
        epochs: int = 6,
        scale: float = 0.1,
        seed: int = 42,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        for name, whole in (("dim", dim), ("epochs", epochs), ("seed", seed)):
            whole_number(name, whole, least=0 if name == "seed" else None)
        if steps is not None:
            whole_number("steps", steps, least=1)
        for name, real in (("alpha", alpha), ("l2", l2), ("nu", nu), ("scale", scale)):
            finite_number(name, real)
        if dim < 1 or epochs < 1 or alpha < 0 or l2 <= 0:
            raise SettingError(
                "iALS has at least one dimension and epoch, alpha of 0 or more and l2 above 0",
                f"dim={dim}, epochs={epochs}, alpha={alpha}, l2={l2}",
                "Try IALS()",
            )
        self.dim, self.alpha, self.l2, self.nu = dim, alpha, l2, nu
        self.epochs, self.scale, self.seed, self.steps = epochs, scale, seed, steps
        self._items: Floats | None = None  # [N, d]
        self._mean_weight: float | None = None

    def _learn(self, matrix: sparse.csr_array) -> None:
        n_items = matrix.shape[1]
        weighs = bool((matrix.data != 1.0).any())
        self._mean_weight = float(np.square(matrix.data, dtype=np.float64).mean()) if weighs else None
        columns = sparse.csr_array(matrix.T.tocsr())
        rng = np.random.default_rng(self.seed)
        items = (rng.normal(size=(n_items, self.dim)) * self.scale / self.dim**0.5).astype(np.float32)
        if self.steps is None:
            for _ in range(self.epochs):
                users = self._solve(matrix, items)
                items = self._solve(columns, users)
        else:
            users = np.zeros((matrix.shape[0], self.dim), dtype=np.float32)
            for _ in range(self.epochs):
                users = self._better(users, matrix, fixed=items, steps=self.steps)
                items = self._better(items, columns, fixed=users, steps=self.steps)
        self._items = items

    def _scores(self, matrix: sparse.csr_array) -> Floats:
        items = self._items
        assert items is not None
        if self.steps is None:
            users = self._solve(matrix, items)
        else:  # from nothing, so more of them
            start = np.zeros((matrix.shape[0], self.dim), dtype=np.float32)
            users = self._better(start, matrix, fixed=items, steps=ANSWER_TIMES * self.steps)
        scores: Floats = users @ items.T
        return scores

    def _better(self, rows: Floats, matrix: sparse.csr_array, *, fixed: Floats, steps: int) -> Floats:
        """Returns the vectors of the rows [R, d] after some steps towards the best, given the columns'.

        Conjugate gradients of all rows at once, each with its own step, scaled by its own diagonal.
        """
        had = np.diff(matrix.indptr)
        row, column = np.repeat(np.arange(len(rows)), had), matrix.indices
        shared = np.float32(self.alpha) * (fixed.T @ fixed)
        penalty = (self.l2 * (had + self.alpha * len(fixed)) ** self.nu).astype(np.float32)[:, None]
        scale = penalty + np.diag(shared)
        weighed = matrix.copy()

        def of_system(x: Floats) -> Floats:
            """Returns every row's system times its x, [R, d]."""
            products = np.empty(len(row), dtype=np.float32)
            pairs = max(NUMBERS // self.dim, 1)
            for at in range(0, len(row), pairs):
                part = slice(at, at + pairs)
                np.einsum("nd,nd->n", x[row[part]], fixed[column[part]], out=products[part])
            weighed.data = products
            out: Floats = x @ shared + penalty * x + weighed @ fixed
            return out

        left = matrix @ fixed - of_system(rows)
        way = left / scale
        size = (left * way).sum(axis=1, keepdims=True)
        for _ in range(steps):
            along = of_system(way)
            step = size / np.maximum((way * along).sum(axis=1, keepdims=True), TINY)
            rows, left = rows + step * way, left - step * along
            next_size = (left * left / scale).sum(axis=1, keepdims=True)
            way = left / scale + next_size / np.maximum(size, TINY) * way
            size = next_size
        return rows

    def _solve(self, matrix: sparse.csr_array, fixed: Floats) -> Floats:
        """Returns the best vectors of the rows [R, d], given those of the columns [C, d]."""
        rows, d = matrix.shape[0], fixed.shape[1]
        shared = self.alpha * (fixed.T @ fixed)
        out = np.zeros((rows, d), dtype=np.float32)
        step = max((1 << 22) // (d * d), 1)
        for at in range(0, rows, step):
            end = min(at + step, rows)
            start = matrix.indptr[at : end + 1]
            systems = np.empty((end - at, d, d), dtype=np.float32)
            targets = np.empty((end - at, d), dtype=np.float32)
            for r in range(end - at):
                had = fixed[matrix.indices[start[r] : start[r + 1]]]
                if self._mean_weight is None:
                    np.matmul(had.T, had, out=systems[r])
                    targets[r] = had.sum(axis=0)
                    continue
                weighed = (
                    had * (matrix.data[start[r] : start[r + 1]] / np.float32(self._mean_weight))[:, None]
                )
                np.matmul(weighed.T, had, out=systems[r])
                targets[r] = weighed.sum(axis=0)
            penalty = self.l2 * (np.diff(start) + self.alpha * len(fixed)) ** self.nu
            systems += shared + penalty[:, None, None] * np.eye(d, dtype=np.float32)
            out[at:end] = np.linalg.solve(systems, targets[..., None])[..., 0]
        return out
