"""The public names are there, load when they are used, and are described."""

import subprocess
import sys

import pytest

import mast


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
