"""The package can be published on its own, and Snakemake and its catalogue of plugins accept it."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

import snakemake_executor_plugin_submitit

FOLDER = Path(__file__).parents[1]
PROJECT = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = sorted((FOLDER / "src").rglob("*.py"))


def test_snakemake_finds_the_plugin_and_the_help_of_every_setting() -> None:
    plugin = ExecutorPluginRegistry().get_plugin("submitit")
    settings = plugin.get_settings_info()
    assert [setting["cliarg"] for setting in settings] == [
        f"--submitit-{name}" for name in ("cluster", "folder", "signal-delay", "requeues")
    ]
    assert all(setting["help"].endswith(".") for setting in settings)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_a_module_imports_only_what_the_package_requires(module: Path) -> None:
    required = {canonicalize_name(Requirement(entry).name).replace("-", "_") for entry in PROJECT["dependencies"]}
    allowed = required | {snakemake_executor_plugin_submitit.__name__} | sys.stdlib_module_names
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names.append(node.module)
        assert {name.split(".")[0] for name in names} <= allowed


def test_the_version_stands_in_one_place() -> None:
    assert [module for module in MODULES if "__version__" in module.read_text(encoding="utf-8")] == []
    assert f"## {PROJECT['version']}" in (FOLDER / "CHANGELOG.md").read_text(encoding="utf-8")


def test_what_the_catalogue_shows_is_there() -> None:
    assert PROJECT["name"] == "snakemake-executor-plugin-submitit"
    assert all((FOLDER / "docs" / name).stat().st_size for name in ("intro.md", "further.md"))
    assert (FOLDER / PROJECT["readme"]).exists() and (FOLDER / "LICENSE").exists()
