"""Saved forms of the measurements: JSON, Markdown (also in docs/understand/performance.md) and a bar chart."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib
import torch

from benchmarks.result import Section, Target
from benchmarks.timing import DEVICE
from mast.files import atomic_path, write_json, write_text

matplotlib.use("Agg")
from matplotlib import pyplot

RESULTS = Path("benchmarks/results")
DOCUMENT = Path("docs/understand/performance.md")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def save(sections: Sequence[Section]) -> None:
    """Write bench.json, bench.md and bench.png, and copy the tables to docs/understand/performance.md."""
    targets = [target for section in sections for target in section.targets]
    text = markdown(sections, targets)
    write_json(RESULTS / "bench.json", {"machine": machine(), "sections": [asdict(section) for section in sections]})
    write_text(RESULTS / "bench.md", text)
    draw(targets, RESULTS / "bench.png")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    write_text(DOCUMENT, f"{before}{BEGIN}\n{text}{END}{after}")


def machine() -> dict[str, Any]:
    """Return the machine of the measurement."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ":")
    gpu = torch.cuda.get_device_name() if DEVICE.type == "cuda" else None
    return {
        "cpu": cpu.partition(":")[2].strip(),
        "cores": torch.multiprocessing.cpu_count(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def markdown(sections: Sequence[Section], targets: Sequence[Target]) -> str:
    """Return all targets first, then a table per section."""
    lines = ["", ", ".join(f"{key} {value}" for key, value in machine().items() if value), "", *target_table(targets)]
    return "\n".join([*lines, *(line for section in sections for line in section_tables(section))]) + "\n\n"


def target_table(targets: Sequence[Target]) -> list[str]:
    """Return lines of Markdown: what was measured, its target, and whether it is met."""
    return ["| what | measured | target | met |", "|---|---:|---:|---|"] + [
        f"| {target.name} | {_number(target.measured)} {target.unit} "
        f"| {'≥' if target.at_least else '≤'} {target.bound:g} {target.unit} | {'yes' if target.met else '**no**'} |"
        for target in targets
    ]


def section_tables(section: Section) -> list[str]:
    """Return lines of Markdown: the numbers of a section under its title."""
    lines = ["", f"### {section.name.capitalize()}", "", section.about, ""]
    lines += ["| case | who | value | unit |", "|---|---|---:|---|"]
    return lines + [f"| {row.case} | {row.who} | {_number(row.value)} | {row.unit} |" for row in section.rows]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def draw(targets: Sequence[Target], path: Path) -> None:
    """Draw how far each target is passed: 1 is the target itself, more is better."""
    margins = [t.measured / t.bound if t.at_least else t.bound / max(t.measured, 1e-9) for t in targets]
    figure, axes = pyplot.subplots(figsize=(8, 0.35 * len(targets) + 1), layout="constrained")
    colours = ["tab:blue" if t.met else "tab:red" for t in targets]
    axes.barh([t.name for t in targets], [margin - 1 for margin in margins], left=1, color=colours)
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("measured relative to the target (1 = target, more is better)")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=150)
    pyplot.close(figure)
