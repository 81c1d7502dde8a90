"""Record of a run: gpu.json, gpu.md and gpu.png, written again after every part."""

import math
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.parts import PARTS
from benchmarks.report import draw, section_tables, target_table
from benchmarks.result import Row, Section, Target
from mast.commit import code_version
from mast.files import read_json, write_json, write_text

PEERS = ("torch", "torchvision", "timm", "lightly", "kornia", "triton")


@dataclass(frozen=True)
class Outcome:
    """Result of a part."""

    section: Section | None
    seconds: float
    problem: str | None = None
    """One line that explains why it crashed or was left out."""
    crashed: bool = False


class Record:
    """Outcomes of one run, or of several runs that add to one another."""

    def __init__(self, folder: Path, bench: Bench, keep: bool) -> None:
        """Begin anew in `folder`, or with the outcomes in its gpu.json."""
        self.folder, self.machine = folder, machine(bench)
        self.outcomes: dict[str, Outcome] = {}
        if keep and (folder / "gpu.json").exists():
            earlier = read_json(folder / "gpu.json")["parts"]
            self.outcomes = {name: _outcome(earlier[name]) for name in PARTS if name in earlier}

    def add(self, name: str, outcome: Outcome) -> None:
        """Add a part's outcome and write everything."""
        self.outcomes[name] = outcome
        self.outcomes = {name: self.outcomes[name] for name in PARTS if name in self.outcomes}
        self.write()

    def write(self) -> None:
        parts = {name: _values(name, outcome) for name, outcome in self.outcomes.items()}
        write_json(self.folder / "gpu.json", {"machine": self.machine, "parts": parts})
        write_text(self.folder / "gpu.md", self.markdown())
        if speeds := self.targets(checks=False):
            draw(speeds, self.folder / "gpu.png")

    def targets(self, checks: bool) -> list[Target]:
        """Return the lines with a target: those of checks of correctness, or all others."""
        sections = [outcome.section for name, outcome in self.outcomes.items() if PARTS[name].checks == checks]
        return [target for section in sections if section is not None for target in section.targets]

    @property
    def failed(self) -> bool:
        """Return whether a check failed, or a part crashed."""
        return not all(target.met for target in self.targets(checks=True)) or any(
            outcome.crashed for outcome in self.outcomes.values()
        )

    def markdown(self) -> str:
        """Return the report: correctness, speed, what was not measured, and then the numbers of each part."""
        lines = [", ".join(f"{key} {value}" for key, value in self.machine.items() if value)]
        for title, checks in (("Correct", True), ("Fast", False)):
            if targets := self.targets(checks):
                lines += ["", f"### {title}", "", *target_table(targets)]
        if problems := [f"- {name}: {o.problem}" for name, o in self.outcomes.items() if o.problem]:
            lines += ["", "### Not measured", "", *problems]
        for outcome in self.outcomes.values():
            if outcome.section is not None and outcome.section.rows:
                lines += section_tables(outcome.section)
        return "\n".join(lines) + "\n"


def machine(bench: Bench) -> dict[str, Any]:
    """Return the machine and the versions of the measurement."""
    found: dict[str, Any] = {"device": platform.machine(), "cores": bench.cores, "tiny": bench.tiny}
    if bench.on_gpu:
        properties = torch.cuda.get_device_properties(bench.device)
        found |= {"device": properties.name, "memory": f"{properties.total_memory / 2**30:.0f} GiB"}
        found |= {"CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
    for package in PEERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return {**found, "python": platform.python_version(), "commit": code_version()}


def _values(name: str, outcome: Outcome) -> dict[str, Any]:
    values: dict[str, Any] = {"about": PARTS[name].about, "checks": PARTS[name].checks}
    values |= {"seconds": round(outcome.seconds, 1), "problem": outcome.problem, "crashed": outcome.crashed}
    if outcome.section is None:
        return values | {"section": None}
    section = asdict(outcome.section)
    rows = [row | {"value": _finite(row["value"])} for row in section["rows"]]
    lines = [
        asdict(target) | {"measured": _finite(target.measured), "met": target.met} for target in outcome.section.targets
    ]
    return values | {"section": section | {"rows": rows, "targets": lines}}


def _finite(value: float) -> float | None:
    """Return None for numbers that are not finite, which JSON does not have."""
    return value if math.isfinite(value) else None


def _outcome(values: dict[str, Any]) -> Outcome:
    section = values["section"]
    if section is not None:
        rows = [Row(**_as_read(row)) for row in section["rows"]]
        targets = [Target(**{key: _as_read(line)[key] for key in line if key != "met"}) for line in section["targets"]]
        section = Section(section["name"], section["about"], rows, targets)
    return Outcome(section, values["seconds"], values["problem"], values["crashed"])


def _as_read(values: dict[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in values.items()}
