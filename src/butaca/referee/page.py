"""This module writes the referee's page: what was asked, who stood where, how to run it again."""

from __future__ import annotations

from collections.abc import Sequence

from butaca.referee.found import Bout, RefereeFound
from butaca.referee.plan import JSON, PICTURE
from butaca.referee.tables import differences_table, means_table

#: What every table rests on.
RULES = """Every test pair is ranked exactly among the whole catalogue; {seen}, and equal scores count
against the model. Means are over the users or pairs of {seeds}. A difference is the row's model
less {first}, on the same users; its 95 % interval is from 2,000 draws of users, each with all
its pairs; bold where it leaves out zero. Validation judges on a slice of the training side,
held out as the test side is; no test pair takes part in a choice. Each fit ran in a process of
its own: its memory is the most that this held until it was fitted, libraries and data included,
and its seconds have compiling in them."""


def page(found: RefereeFound, *, drawn: bool) -> str:
    """Returns the page.

    Args:
        found: all that was found.
        drawn: whether there is a picture beside it.
    """
    data = found.data
    rows = [row for bout in found.bouts.values() for row in bout.rows]
    first = rows[0].name if rows else "the first"
    seeds = "one split and fit" if len(found.seeds) == 1 else f"{len(found.seeds)} splits and fits"
    parts = [
        f"# The referee: {data['name']}",
        f"{data['interactions']:,} interactions of {data['users']:,} users with {data['items']:,} items; "
        f"{_seeds(found.seeds)}; {found.trials} trials on validation for each model with something to "
        f"choose. Everything is in `{JSON}` too.",
        RULES.format(seeds=seeds, first=first, seen=_seen(found)),
        _unequal(found),
    ]
    if drawn:
        parts.append(f"![Each model less the first, protocol by protocol]({PICTURE})")
    for protocol, bout in found.bouts.items():
        parts += _section(protocol, bout)
    parts += _absent(found)
    parts += ["## Where it ran", _where(found)]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _seen(found: RefereeFound) -> str:
    """Returns what becomes of what a user had before, in words."""
    again = found.data["again"]
    return "what a user had before may come again" if again else "what a user had before is left out"


def _seeds(seeds: Sequence[int]) -> str:
    """Returns the seeds in words."""
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _section(protocol: str, bout: Bout) -> list[str]:
    """Returns the parts on one protocol."""
    names = {row.name: row.differences for row in bout.rows}
    parts = [f"## {protocol}", f"{bout.question} {_counts(bout.pairs, bout.users)}", means_table(bout.rows)]
    differences = differences_table(bout.rows)
    if differences:
        parts += [f"Each less {next(iter(names))}:", differences]
    parts += [f"**{row.name} failed.** {row.failure}" for row in bout.rows if row.failure]
    if bout.left_out:
        parts.append("Left out: " + "; ".join(f"{name} ({why})" for name, why in bout.left_out.items()) + ".")
    lines = [bout.again[row.name] for row in bout.rows]
    return [*parts, "Run a row again:", "```sh\n" + "\n".join(lines) + "\n```"]


def _counts(pairs: Sequence[int], users: Sequence[int]) -> str:
    """Returns how many pairs and users judge."""
    if not pairs:
        return ""
    same = len(set(pairs)) == len(set(users)) == 1
    of = "" if same else " with the first seed"
    return f"{pairs[0]:,} test pairs of {users[0]:,} users{of}."


def _unequal(found: RefereeFound) -> str:
    """Says where a model's own choice judged more than the trials of others; empty where none did."""
    more = {
        f"{row.name} ({row.tried})": None
        for bout in found.bouts.values()
        for row in bout.rows
        if row.tried > found.trials
    }
    if not more:
        return ""
    return (
        f"**Not equal:** {', '.join(more)} judged more configurations than the {found.trials} trials of "
        "others, since `fit` does so unasked. Raise `--trials` to that number for equal trials."
    )


def _absent(found: RefereeFound) -> list[str]:
    """Returns what could not enter, and how it can."""
    lines = [f"- {name}: {why}" for name, why in found.not_there.items()]
    lines += [f"- the protocol {name}: {why}" for name, why in found.protocols_left_out.items()]
    return ["## Not there", "\n".join(lines)] if lines else []


def _where(found: RefereeFound) -> str:
    """Returns the machine and the versions."""
    where = found.machine
    memory = "" if where["memory_gib"] is None else f", {where['memory_gib']:g} GiB of memory"
    libraries = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    system = f"{where['system']}, Python {where['python']}"
    return f"{where['cpu']}, {where['cores']} cores{memory}, {system}; {libraries}."
