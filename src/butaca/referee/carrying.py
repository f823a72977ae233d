"""This module carries out a plan: it reads, runs every protocol, and writes page, picture and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from butaca.data.dataset import Dataset
from butaca.files import replace_file
from butaca.referee.again import line_of
from butaca.referee.found import Bout, RefereeFound
from butaca.referee.machine import OWN, machine, versions
from butaca.referee.page import page
from butaca.referee.picture import picture
from butaca.referee.plan import JSON, PAGE, PICTURE, RefereePlan
from butaca.referee.protocols import ProtocolName, question
from butaca.referee.run import ProtocolRuns, Watch, run_all, runnable
from butaca.referee.standing import standings
from butaca.workflows.loading import load


def carry_out_referee(
    plan: RefereePlan,
    *,
    watch: Watch | None = None,
    told: Callable[[Dataset], None] | None = None,
) -> RefereeFound:
    """Runs the plan, and writes the page, its picture and the JSON to `plan.out`.

    What a protocol gave is written as soon as it is there, so that a run which is stopped leaves the others'.

    Args:
        plan: what to run.
        watch: told before each fit.
        told: called once the data are read.

    Raises:
        ButacaError: a source that can't be read, a protocol the data don't allow, a folder that is taken.
    """
    plan.check_places()
    data = load(plan.source, plan.columns)
    if told is not None:
        told(data)
    protocols, left_out = runnable(plan, data)
    plan.out.mkdir(parents=True, exist_ok=True)
    libraries = [one.library for one in plan.entering if one.library]
    bouts: dict[str, Bout] = {}
    found = RefereeFound(
        {
            "name": data.name,
            "fingerprint": data.fingerprint(),
            "interactions": len(data),
            "users": len(data.users),
            "items": len(data.items),
            "again": data.again,
            "notes": list(data.notes),
        },
        plan.all_seeds,
        plan.trials,
        bouts,
        left_out,
        plan.not_there,
        machine(),
        versions([*OWN, *libraries]),
    )
    for runs in run_all(plan, data, protocols=protocols, watch=watch):
        bouts[runs.protocol] = bout_of(plan, runs)
        write(found, plan.out)
    return found


def bout_of(plan: RefereePlan, runs: ProtocolRuns) -> Bout:
    """Returns what is said of one protocol."""
    rows = standings(runs)
    judged = [
        [one.evaluation for one in outings if one.evaluation is not None] for outings in runs.outings.values()
    ]
    whole = next((each for each in judged if len(each) == len(runs.seeds)), [])
    first = rows[0].name if rows else ""
    return Bout(
        question(runs.protocol, plan.test_share),
        [len(one.ranks) for one in whole],
        [len(np.unique(one.user)) for one in whole],
        rows,
        runs.left_out,
        {row.name: _again(plan, runs.protocol, names=(first, row.name)) for row in rows},
    )


def write(found: RefereeFound, folder: Path) -> None:
    """Writes the JSON, the picture and the page, each whole or not at all."""
    drawn = picture({protocol: bout.rows for protocol, bout in found.bouts.items()})
    text = json.dumps(found.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
    replace_file(folder / JSON, (text + "\n").encode())
    if drawn:
        replace_file(folder / PICTURE, drawn.encode())
    else:
        (folder / PICTURE).unlink(missing_ok=True)
    replace_file(folder / PAGE, page(found, drawn=bool(drawn)).encode())


def _again(plan: RefereePlan, protocol: ProtocolName, *, names: tuple[str, str]) -> str:
    """Returns the line that runs a row again, with the first model for the comparison."""
    return line_of(plan, protocol=protocol, models=list(dict.fromkeys(names)))
