"""The choices of docs/record/peers-search.md follow from its tables by the rule of config/peers-search.yaml."""

import re
from itertools import groupby

import pytest
from support import ROOT

from mast.config.load import load_experiment

SEARCH = load_experiment(ROOT / "config/peers-search.yaml")
PAGE = (ROOT / "docs/record/peers-search.md").read_text()
METHODS = ("vicreg", "augself", "looc", "cassle", "mast")


def rows(table: str) -> list[list[str]]:
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*\|$", table, re.M)]


def corrected_means(study: str) -> dict[str, float]:
    """Corrected mean of each label in a table of the page."""
    header, _, *lines = rows(PAGE.split(f"<!-- table: {study} -->")[1].split("<!-- end -->")[0])
    return {line[0]: float(line[header.index("corrected mean")]) for line in lines}


def averages() -> dict[str, float]:
    shapes, typefaces = corrected_means("shapes"), corrected_means("typefaces")
    assert set(shapes) == set(typefaces)
    return {label: (shapes[label] + typefaces[label]) / 2 for label in shapes}


def variants(method: str) -> list[str]:
    """Labels of a method's variants, those in use first."""
    runs = [run for run in SEARCH.studies["shapes"].runs if not run.startswith("mast-aware")]
    return [SEARCH.runs[run].label for run in runs if run.split("-")[0] == method]


def test_each_method_has_eight_variants_on_both_benchmarks() -> None:
    names = [run.split("-")[0] for run in SEARCH.studies["shapes"].runs if not run.startswith("mast-aware")]
    assert {method: len(list(group)) for method, group in groupby(names)} == dict.fromkeys(METHODS, 8)
    for run in SEARCH.studies["shapes"].runs:
        one, other = (SEARCH.pretrain_spec(name).model_dump(exclude={"dataset"}) for name in (run, f"letters-{run}"))
        assert one == other


@pytest.mark.parametrize("method", METHODS)
def test_the_choice_follows_from_the_tables(method: str) -> None:
    mean, (in_use, *others) = averages(), variants(method)
    best = max([in_use, *others], key=mean.__getitem__)
    chosen = best if mean[best] >= mean[in_use] + 2 else "settings in use"
    stated = {line[0]: line[1:] for line in rows(PAGE.split("## What the rule chose")[1].split("## Findings")[0])}
    used, named, reached, choice = stated[in_use]
    assert (named, choice) == (best, chosen)
    assert float(used) == pytest.approx(mean[in_use], abs=0.101) and float(reached) == pytest.approx(
        mean[best], abs=0.101
    )


@pytest.mark.parametrize("part", ["shapes", "typefaces"])
def test_what_was_chosen_is_in_the_verdict(part: str) -> None:
    verdict = load_experiment(ROOT / f"config/claim-{part}.yaml")
    one, other = verdict.pretrain_spec("cassle-colour"), SEARCH.pretrain_spec("cassle-colour")
    assert one.cassle == other.cassle and one.objective == other.objective and one.optimizer == other.optimizer
