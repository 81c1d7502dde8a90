"""The public names exist, load at first use, and have docstrings."""

import doctest
import importlib
import subprocess
import sys

import pytest
from support import ROOT

import mast
from mast.api.page import api_markdown


@pytest.mark.parametrize("name", mast.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    assert getattr(mast, name).__doc__
    assert name in dir(mast)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'MastLos'"):
        _ = mast.MastLos


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, mast; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "pydantic", "pandas"} & set(done.stdout.split())


def test_the_page_is_that_of_the_docstrings() -> None:
    page = (ROOT / "docs/use/api.md").read_text(encoding="utf-8")
    assert page == api_markdown(), "run make schema"


@pytest.mark.parametrize("module", ["loss", "views"])
def test_examples_in_docstrings_run(module: str) -> None:
    done = doctest.testmod(importlib.import_module(f"mast.api.{module}"))
    assert done.attempted > 2
    assert not done.failed
