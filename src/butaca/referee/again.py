"""This module writes the line that runs one row again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from butaca.referee.plan import RefereePlan
from butaca.workflows.as_options import options_of


def line_of(plan: RefereePlan, *, protocol: str, models: Sequence[str]) -> str:
    """Returns the command that runs these models on a protocol again, the first for the comparison."""
    sources = [plan.source] if isinstance(plan.source, str) else list(plan.source)
    words = ["butaca", "referee", *map(without_password, map(str, sources)), "--protocol", protocol]
    for name in models:
        words += ["--model", name]
    words += ["--seeds", str(plan.seeds), "--trials", str(plan.trials), "--out", f"{plan.out.name}-again"]
    if plan.test_share != 0.2:
        words += ["--test-share", f"{plan.test_share:g}"]
    return shlex.join([*words, *options_of(plan.columns)])


def without_password(source: str) -> str:
    """Returns a source with the password of a database's address blotted out.

    >>> without_password("postgresql://ana:se:cret@host/shop::sales"), without_password("a:b@c.csv")
    ('postgresql://ana:***@host/shop::sales', 'a:b@c.csv')
    >>> without_password("postgresql://host/shop?user=ana&password=secret")
    'postgresql://host/shop?user=ana&password=***'
    """
    if "://" not in source:
        return source
    source = re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", source)
    return re.sub(r"(password=)[^&:]*", r"\1***", source, flags=re.I)
