"""Imports go one way (docs/understand/design.md): a module imports from layers below its own and its own folder."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

PACKAGE = ROOT / "mast"
LAYERS = (
    "errors files commit gpus machine memory runtime signals progress settings catalogue columns records results "
    "orientation heif config.text",
    "augment objectives models data checkpoint distributed training",
    "evaluation learner methods protocols",
    "config",
    "api pretraining evaluation.run analysis reporting export preflight starter verify watch",
    "cli",
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer.split()}
MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")
BELOW_IN_LAYER = {
    ("training", "checkpoint"),
    ("training", "distributed"),
    ("objectives", "models"),
    ("methods", "learner"),
    ("protocols", "evaluation"),
    ("pretraining", "analysis"),
    ("api", "export"),
}
"""Neighbours of one layer of which one may use the other."""


def room(module: str) -> str:
    """Return the longest name in a layer that begins a module's dotted name: `mast.data.prepared.store` → `data`."""
    parts = module.split(".")[1:]
    names = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((name for name in names if name in RANK), parts[0])


def imports(file: Path) -> set[str]:
    """Every module that a file imports anywhere, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_only_what_lies_below(file: Path) -> None:
    own = room(module_of(file))
    assert own in RANK, f"{own} is in no layer"
    for module in imports(file):
        if module.startswith("mast.") and room(module) in RANK and room(module) != own:
            allowed = RANK[room(module)] < RANK[own] or RANK[own] == 0 or (own, room(module)) in BELOW_IN_LAYER
            assert allowed, f"imports {module}"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_package_knows_nothing_of_snakemake(file: Path) -> None:
    assert not any(module.split(".")[0] == "snakemake" for module in imports(file))


@pytest.mark.parametrize("file", sorted((PACKAGE / "reporting").rglob("*.py")), ids=lambda file: file.stem)
def test_reporting_imports_neither_torch_nor_what_computes(file: Path) -> None:
    for module in imports(file):
        assert module.split(".")[0] not in ("torch", "torchvision", "timm"), f"{file} imports {module}"
        if module.startswith("mast."):
            assert RANK[room(module)] == 0 or room(module) in ("config", "reporting"), f"{file} imports {module}"


def test_planning_a_workflow_and_preparing_embedded_data_need_no_torch() -> None:
    code = "import sys, mast.preflight.experiment, mast.data.prepare, mast.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
