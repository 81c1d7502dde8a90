"""Imports go one way: cli → stages → building blocks → configuration (docs/design.md)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

PACKAGE = ROOT / "mast"
LAYERS = (
    {"config", "files", "errors", "paths", "progress", "runtime", "checkpoint", "commit", "gpus", "signals"},
    {"objectives", "models", "augment", "data"},
    {"pretrain", "evaluate", "transfer", "analysis", "reporting", "verify"},
    {"cli"},
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
SHARED = {
    ("transfer", "evaluate"),  # one writer of metrics files
    ("verify", "reporting"),  # one definition of what a table is made from
}
MODULES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


def part(module: str) -> str:
    """`mast.data.prepared.store` → `data`."""
    return module.split(".")[1]


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


def own(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_only_what_lies_below(file: Path) -> None:
    for module in imports(file):
        if module.startswith("mast.") and part(module) in RANK and part(module) != own(file):
            below = RANK[part(module)] < RANK[own(file)] or RANK[own(file)] == 0
            assert below or (own(file), part(module)) in SHARED, f"imports {module}"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_package_knows_nothing_of_snakemake(file: Path) -> None:
    assert not any(module.split(".")[0] == "snakemake" for module in imports(file))


@pytest.mark.parametrize("name", ["reporting", "config"])
def test_light_parts_import_neither_torch_nor_other_parts(name: str) -> None:
    for file in (PACKAGE / name).rglob("*.py"):
        for module in imports(file):
            assert module.split(".")[0] not in ("torch", "torchvision", "timm"), f"{file} imports {module}"
            if module.startswith("mast."):
                assert part(module) in {name, "config", "files", "errors"}, f"{file} imports {module}"


def test_planning_a_workflow_and_preparing_embedded_data_need_no_torch() -> None:
    code = "import sys, mast.preflight.experiment, mast.data.prepare, mast.paths; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
