"""Write the commented configuration of `mast init`."""

import re
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from mast.errors import visible
from mast.starter.choose import Choice
from mast.starter.look import Findings

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.json"


BARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/-]*\Z")
"""Text that needs no quotes in YAML, unless YAML reads it as a number, a date, true or null."""


LATER = """\
# A table of scores needs labels of at least some of the images. With a file labels.csv, whose columns are path and
# label, remove the # before `labelled` and `untrained` above, and in the lines from here to `figures`.
"""


def configuration(name: str, found: Findings, choice: Choice) -> str:
    """Return the YAML with a header: what was found, how long it takes, what to do next."""
    evaluated = found.classes and found.test
    parts = [
        _header(found, choice),
        f"name: {_flow(name)}\nresults: {_flow(f'results/{name}')}",
        "datasets:\n"
        + _comment(found.notes, "  ")
        + f"  own: {_flow({**found.settings, 'size': choice.size})}"
        + ("" if evaluated else "\n" + _later(_labelled(found, choice), "  ")),
        "seeds: [0] # three or more before you believe a difference: [0, 1, 2]",
        _pretrain(choice),
        f"runs:\n  {'' if evaluated else '# '}untrained: {{method: untrained, label: Untrained}}\n"
        + "  vicreg: {method: vicreg, label: VICReg}\n  mast: {method: mast, label: MAST}",
        "# Measures the encoders while they train (mast watch); needs labels.\nmonitor: {epochs: 5}"
        if found.classes
        else None,
        _evaluation(found, "own") if evaluated else LATER + _later(_evaluation(found, "labelled"), ""),
        "figures:\n  losses: [vicreg, mast]\n  views: [mast]\n  masks: [mast]"
        + ("" if evaluated else "\n  retrieval: [vicreg, mast] # how often another view of an image is found"),
        _resources(choice),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(found: Findings, choice: Choice) -> str:
    kinds = f"{found.classes} classes" if found.classes else "no labels"
    tested = f", {found.test:,} to test on" if found.test else ""
    machine = choice.gpu or "this CPU"
    head = f"# yaml-language-server: $schema={SCHEMA}\n#\n" if SCHEMA.exists() else ""
    facts = [
        f"Data      {found.train:,} images to train on{tested}, {kinds}; half of them have a short side of "
        f"{found.short_side} pixels or more.",
        f"Time      About {_minutes(choice.minutes)} for each training run on {machine}, where "
        f"{choice.images_per_second:,.0f} images/s were measured. Fewer `epochs` take less.",
        "Expect    Losses that fall and level off, and no sign of collapse (mast watch). Settings are a start, not "
        "tuned on these images.",
    ]
    lines = [line for fact in facts for line in wrap(fact, 116, subsequent_indent=" " * 10)]
    return head + "\n".join(f"# {line}" for line in lines)


def _pretrain(choice: Choice) -> str:
    why = {
        "encoder": "a small one, for a CPU" if choice.gpu is None else None,
        "policy": "leave out augmentations that erase what matters to you",
        "epochs": "longer is better, up to several hundred",
        "precision": "bf16 if the GPU supports it: twice as fast" if choice.gpu else None,
    }
    lines = ["pretrain: # shared by all runs", "  dataset: own"]
    for key, value in choice.pretrain.items():
        lines.append(f"  {key}: {_flow(value)}" + (f" # {why[key]}" if why.get(key) else ""))
    return "\n".join(lines)


def _labelled(found: Findings, choice: Choice) -> str:
    """Return a dataset that the user may add: a list of images with labels."""
    root = found.settings["root"] if found.settings["kind"] in ("folder", "table") else "."
    settings = {"kind": "table", "file": "labels.csv", "root": root, "path": "path"}
    return f"labelled: {_flow({**settings, 'targets': ['label'], 'test_fraction': 0.2, 'size': choice.size})}"


def _later(text: str, indent: str) -> str:
    """Return lines that the user can activate by removing `# `."""
    return "\n".join(f"{indent}# {line}" if line else f"{indent}#" for line in text.split("\n"))


def _evaluation(found: Findings, task: str) -> str:
    neighbours = min(20, max(1, found.train // 4))
    return (
        "protocols:\n"
        "  linear: {kind: linear-lbfgs}\n"
        f"  knn: {{kind: knn, k: {neighbours}}}\n\n"
        "studies:\n"
        f"  linear: {{title: Linear evaluation, protocol: linear, tasks: [{task}], runs: [untrained, vicreg, mast]}}\n"
        f"  knn: {{title: Nearest neighbours, protocol: knn, tasks: [{task}], runs: [untrained, vicreg, mast]}}"
    )


def _resources(choice: Choice) -> str:
    runtime = max(30, round(3 * choice.minutes))
    gpus = ", gpus: 1" if choice.gpu else ""
    return f"resources: # of one job; minutes are a limit for clusters\n  pretrain: {{runtime: {runtime}{gpus}}}"


def _comment(notes: list[str], indent: str) -> str:
    lines = [line for note in notes for line in wrap(visible(note), 110)]
    return "".join(f"{indent}# {line}\n" for line in lines)


def _flow(value: Any) -> str:
    """Return a value in YAML's flow style, without quotes where YAML allows it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(own)}" for key, own in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float):
        return f"{value:.1e}" if value < 0.01 else f"{value:g}" if value % 1 else f"{value:.1f}"
    if isinstance(value, str) and (not BARE.match(value) or yaml.safe_load(value) != value):
        return yaml.safe_dump(value, default_style='"', width=float("inf"), allow_unicode=True).strip()
    return str(value)


def _minutes(minutes: float) -> str:
    if minutes < 1.5:
        return f"{max(10, round(60 * minutes, -1)):.0f} seconds"
    return f"{minutes / 60:.1f} hours" if minutes >= 90 else f"{round(minutes)} minutes"
