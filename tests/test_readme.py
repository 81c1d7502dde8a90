"""The README is true: its method and its Python example run, its BibTeX agrees with CITATION.cff."""

import importlib
import re
from pathlib import Path

import pytest
import torch
import yaml
from support import ROOT
from support.extending import example

from mast.config.pretrain import PretrainSpec
from mast.distributed import ALONE
from mast.learner import Learner
from mast.settings import parse

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SPEC = {
    "dataset": "x",
    "encoder": {"name": "resnet-narrow", "stem": "small", "widths": [8, 8, 8, 8]},
    "projector": {"hidden": 8, "output": 6},
}


def block(language: str, part: str) -> str:
    """Return the block of a language that contains a part."""
    [found] = [b for b in re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL) if part in b]
    return found


def test_the_method_has_the_loss_of_the_longer_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    files = {"short_example": block("python", "class AlignUniform"), "long_example": example("Add a method", "python")}
    losses = []
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        module = importlib.import_module(name)
        spec = parse(PretrainSpec, SPEC, "test")
        if name == "long_example":
            own = module.AlignUniformSpec(weight=1, t=2)
            object.__setattr__(spec, "__dict__", spec.__dict__ | {"align_uniform": own})
        torch.manual_seed(0)
        learner = Learner(module.AlignUniform(spec), 16, [0.5] * 3, [0.25] * 3, [], ALONE).train()
        images = torch.randint(0, 256, (12, 3, 16, 16), dtype=torch.uint8)
        losses.append(learner(images, None, learner.draw(12, torch.Generator().manual_seed(1))).loss)
    assert losses[0].requires_grad and losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)


def test_the_python_example_runs() -> None:
    found: dict = {}
    exec(block("python", "mast.MastLoss"), found)
    assert found["active"].shape == (64, len(found["pairs"].names))
    gradients = [p.grad for part in ("network", "loss") for p in found[part].parameters()]
    assert gradients and all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_the_bibtex_says_what_the_citation_file_says() -> None:
    software = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    [paper] = software["references"]
    text = block("bibtex", "@software")
    entries = [dict(re.findall(r"^ *(\w+) *= \{(.*)\},?$", entry, re.MULTILINE)) for entry in text.split("@")[1:]]
    plain = [{key: value.replace("{", "").replace("}", "") for key, value in entry.items()} for entry in entries]
    assert plain == [
        {
            "title": paper["title"],
            "author": " and ".join(f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]),
            "booktitle": paper["conference"]["name"],
            "year": str(paper["year"]),
            "url": paper["url"],
        },
        {
            "title": software["title"],
            "author": " and ".join(author["name"] for author in software["authors"]),
            "version": software["version"],
        },
    ]
