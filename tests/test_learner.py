"""A missing compiler for torch.compile is reported before anything is trained."""

import sys

import pytest

from mast import learner


def test_on_a_gpu_it_needs_triton_and_a_c_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learner, "find_spec", lambda name: None)
    assert learner.missing_compiler("cuda") == "there is no package triton here"
    monkeypatch.setattr(learner, "find_spec", lambda name: name)
    monkeypatch.setenv("CC", "no-such-compiler")
    assert learner.missing_compiler("cuda") == "there is no C compiler 'no-such-compiler' here"
    monkeypatch.setenv("CC", sys.executable)
    assert learner.missing_compiler("cuda") is None
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "")
    assert learner.missing_compiler("cuda") == "there is no C compiler 'gcc' here"


def test_on_a_cpu_it_needs_a_cpp_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert learner.missing_compiler("cpu") == "there is no C++ compiler 'no-such-compiler' here"
    monkeypatch.setenv("CXX", sys.executable)
    assert learner.missing_compiler("cpu") is None
