"""The choices of docs/record/peers-search.md follow from its tables by the rule of config/peers-search.yaml."""

import re

import pytest
from support import ROOT

from mast.config.load import load_experiment

SEARCH = load_experiment(ROOT / "config/peers-search.yaml")
PAGE = (ROOT / "docs/record/peers-search.md").read_text(encoding="utf-8")
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
    """Runs of a method's variants, those in use first."""
    runs = [run for run in SEARCH.studies["shapes"].runs if not run.startswith("mast-aware")]
    return [run for run in runs if run.split("-")[0] == method]


def choice(method: str) -> tuple[str, str]:
    """The best run of a method, and the run that the rule chooses."""
    mean, (in_use, *others) = averages(), variants(method)
    of = {run: mean[SEARCH.runs[run].label] for run in (in_use, *others)}
    best = max(of, key=of.__getitem__)
    return best, best if of[best] >= of[in_use] + 2 else in_use


def test_each_method_has_eight_variants_on_both_benchmarks() -> None:
    runs = SEARCH.studies["shapes"].runs
    assert [run for method in METHODS for run in variants(method)] == [*runs[:-2]]
    assert {len(variants(method)) for method in METHODS} == {8} and set(runs[-2:]) == {"mast-aware", "mast-aware-crop"}
    for run in runs:
        one, other = (SEARCH.pretrain_spec(name).model_dump(exclude={"dataset"}) for name in (run, f"letters-{run}"))
        assert one == other


@pytest.mark.parametrize("method", METHODS)
def test_the_choice_follows_from_the_tables(method: str) -> None:
    (best, chosen), in_use, mean = choice(method), variants(method)[0], averages()
    stated = {line[0]: line[1:] for line in rows(PAGE.split("## What the rule chose")[1].split("## Findings")[0])}
    used, named, reached, taken = stated[SEARCH.runs[in_use].label]
    assert named == SEARCH.runs[best].label
    assert taken == ("settings in use" if chosen == in_use else SEARCH.runs[chosen].label)
    assert float(used) == pytest.approx(mean[SEARCH.runs[in_use].label], abs=0.101)
    assert float(reached) == pytest.approx(mean[SEARCH.runs[best].label], abs=0.101)


@pytest.mark.parametrize("part", ["shapes", "typefaces"])
@pytest.mark.parametrize("method", METHODS)
def test_what_was_chosen_is_in_the_verdict(part: str, method: str) -> None:
    verdict, (_, chosen) = load_experiment(ROOT / f"config/claim-{part}.yaml"), choice(method)
    one, other = (of.pretrain_spec(chosen).model_dump(exclude={"dataset", "epochs"}) for of in (verdict, SEARCH))
    assert one == other and chosen in verdict.studies["verdict"].runs
