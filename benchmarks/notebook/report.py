"""This module prints the notebook benchmark: ratios beside their targets, the arithmetic, quality."""

from __future__ import annotations

import os
from collections.abc import Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.machine import cpu
from benchmarks.notebook.figures import (
    Answer,
    NotebookResults,
    Speedup,
    best_limits,
    quality_rows,
    quality_verdict,
    speedups,
)
from butaca.cli.screen import accuracy_table


def show(console: Console, results: NotebookResults) -> None:
    """Prints all tables."""
    repeats = len(results.butaca)
    console.print()
    console.print(speedups_table(speedups(results), repeats))
    for line in notes(results):
        console.print(f"  {line}", style="dim", markup=False)
    console.print()
    show_limits(console, results)
    console.print()
    console.print(
        accuracy_table(quality_rows(results), "Quality: top-k accuracy on the 20,000 test pairs, seen kept")
    )
    ok, line = quality_verdict(results.seeds)
    console.print(f"  {line}", style="green" if ok else "red", markup=False)
    console.print()


def speedups_table(rows: Sequence[Speedup], repeats: int) -> Table:
    """Makes the table of times, ratios and targets."""
    title = f"MovieLens 100K, the notebook's recipe: medians of {repeats} repeat{'s' * (repeats > 1)}"
    table = new_table(title, "TFRS", "butaca", "ratio", "by repeat", "target", "aim", "")
    for n, row in enumerate(rows):
        low, high = row.spread
        table.add_row(
            row.name,
            duration(median(row.tfrs)),
            duration(median(row.butaca)),
            f"[bold]{row.ratio:,.1f}[/]",
            f"{low:,.0f}-{high:,.0f}" if low >= 10 else f"{low:.1f}-{high:.1f}",
            "" if row.at_least is None else f"{row.at_least:g}",
            "" if row.aim is None else f"{row.aim:g}",
            row.verdict,
            end_section=n == 4,
        )
    return table


def new_table(title: str, *columns: str) -> Table:
    """Makes a table whose first column names the row and whose others hold figures."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD)
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def notes(results: NotebookResults) -> list[str]:
    """Returns lines that say what the words in the table mean, and where it ran."""
    tfrs, ours = results.tfrs_off[0], results.butaca[0]
    queries = {way: median(t["query"][way] for t in results.tfrs_off) for way in tfrs["query"]}
    fits = len(ours["fit_warm"])
    out = [
        "ratio: TFRS's time over butaca's.",
        "cold: the first fit of a new process, imports done. Both sides compile; TFRS also fills its cache.",
        "warm, TFRS: ten more epochs of the traced model over its cached batches, weights and accumulators",
        "  set back to the start; nothing is traced again (checked).",
        "warm, the notebook's way: ten times the mean of epochs 2 to 10, which trace nothing.",
        f"warm, butaca: a new model in the same process, batches built anew (median of {fits} a process).",
        "evaluate: after one to warm up; butaca's counts computing all vectors of a newly fitted model.",
        "one user: " + ", ".join(f"{way} {duration(s)}" for way, s in queries.items()) + " (TFRS, medians).",
        "Left out in TFRS's favour: its TensorBoard callback and progress bar.",
        f"TFRS side: {versions(tfrs)}.",
        f"butaca side: {versions(ours)}.",
        f"On {cpu()}, {os.cpu_count()} cores.",
    ]
    if ours["blas"]:
        out.append(f"numpy's BLAS here: {ours['blas']}.")
    if results.load_average_before > 0.5:
        out.append(f"Other work was running at the start: load average {results.load_average_before:.1f}.")
    return out


def show_limits(console: Console, results: NotebookResults) -> None:
    """Prints the warm fit beside what its arithmetic alone would take."""
    limit = best_limits(results)
    warm = median(median(b["fit_warm"]) for b in results.butaca)
    table = new_table("Training against the arithmetic alone", "rate", "seconds", "butaca, warm / this")
    giga = 1e9
    large, own = limit["large_product_flops_per_s"] / giga, limit["own_products_flops_per_s"] / giga
    for name, rate, seconds in (
        ("products at the rate of a large one (4096 x 4096)", large, limit["seconds_at_large_rate"]),
        (f"products at their own shapes, inner dimension {limit['dim']}", own, limit["seconds_at_own_rate"]),
    ):
        table.add_row(name, f"{rate:,.0f} GF/s", f"{seconds:.3f}", f"{warm / seconds:.1f}")
    table.add_row("butaca, fit, warm", f"{limit['flops'] / warm / giga:,.0f} GF/s", f"{warm:.3f}", "")
    console.print(table)
    console.print(
        f"  {limit['steps']} steps of about {limit['users_per_step']:,} users x {limit['titles_per_step']:,} "
        f"titles x {limit['dim']} dimensions: {limit['flops'] / giga:.0f} GF in three products a step,\n"
        f"  and {limit['exps'] / 1e6:.0f} M exponentials, counted in both rows at this machine's "
        f"{limit['exps_per_s'] / giga:.1f} G/s.",
        style="dim",
        markup=False,
    )


def duration(seconds: float) -> str:
    """Writes a time with three digits and its unit."""
    if seconds >= 0.1:
        return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def versions(answer: Answer) -> str:
    return ", ".join(f"{name} {v.removeprefix('v')}" for name, v in answer["versions"].items())
