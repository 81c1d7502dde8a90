"""The versions pinned for pip and for conda are those that the project requires."""

import re
import tomllib

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from support import ROOT

PLUGIN = "plugins/snakemake-executor-plugin-submitit"


def project(folder: str) -> dict:
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


PROJECT = project(".")
REQUIRED = [
    requirement
    for requirement in PROJECT["dependencies"] + project(PLUGIN)["dependencies"]
    if Requirement(requirement).name != project(PLUGIN)["name"]
]
"""Requirements of the project and of its plugin, which are both installed from the checkout."""


def pinned(*locks: str) -> dict[str, str]:
    """Name → version, of all lock files together."""
    lines = [line for lock in locks for line in (ROOT / lock).read_text(encoding="utf-8").splitlines()]
    found = (re.match(r"([A-Za-z0-9._-]+)==([^ ;]+)", line) for line in lines)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def assert_pinned(required: list[str], versions: dict[str, str]) -> None:
    for requirement in map(Requirement, required):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not pinned"
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


def test_lock_files_pin_every_requirement_in_a_version_that_it_allows() -> None:
    assert_pinned(REQUIRED, pinned("requirements.lock"))
    assert_pinned(PROJECT["optional-dependencies"]["test"], pinned("requirements-test.lock"))


def test_conda_environment_installs_the_same() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, _, by_pip = environment["dependencies"]
    assert SpecifierSet(PROJECT["requires-python"]).contains(
        python.removeprefix("python=") + ".99"
    )  # conda takes the newest
    assert by_pip["pip"][-2:] == [f"-e {PLUGIN}", "-e ."]
    locks = [entry.removeprefix("-r ") for entry in by_pip["pip"][:-2]]
    assert_pinned(REQUIRED + PROJECT["optional-dependencies"]["test"], pinned(*locks))


def test_the_plugin_in_the_checkout_is_one_that_the_project_allows() -> None:
    plugin = project(PLUGIN)
    (required,) = [entry for entry in map(Requirement, PROJECT["dependencies"]) if entry.name == plugin["name"]]
    assert required.specifier.contains(plugin["version"])
