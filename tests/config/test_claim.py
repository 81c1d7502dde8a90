"""config/claim.yaml compares fairly, and was not chosen on the data that it shows."""

import pytest
from support import ROOT

from mast.config.experiment import Experiment
from mast.config.load import load_experiment

CONFIG = ROOT / "config"
CLAIM = load_experiment(CONFIG / "claim.yaml")
SEARCH = load_experiment(CONFIG / "claim-search.yaml")


def seeds(experiment: Experiment) -> set[int]:
    return {seed for run in experiment.runs for seed in experiment.run_seeds(run)}


def test_search_and_claim_share_neither_seeds_nor_images() -> None:
    assert seeds(SEARCH).isdisjoint(seeds(CLAIM))
    assert len(CLAIM.run_seeds("mast")) >= 5
    assert SEARCH.datasets["shapes"].seed != CLAIM.datasets["shapes"].seed
    assert {protocol.split for protocol in SEARCH.protocols.values()} == {"val"}
    assert {getattr(protocol, "split", "test") for protocol in CLAIM.protocols.values()} == {"test"}


def test_both_methods_were_searched_alike() -> None:
    settings = [[run.split("-")[1:] for run in study.runs] for study in SEARCH.studies.values()]
    assert settings[0] == settings[1]


@pytest.mark.parametrize("suffix", ["", "-15", "-4", "-8", "-15e", "-digits"])
def test_compared_runs_differ_in_what_was_chosen_only(suffix: str) -> None:
    vicreg, mast = (CLAIM.pretrain_spec(f"{method}{suffix}").model_dump() for method in ("vicreg", "mast"))
    assert {key for key in vicreg if vicreg[key] != mast[key]} == {"method", "objective", "mast"}
    assert {key for key in vicreg["objective"] if vicreg["objective"][key] != mast["objective"][key]} == {"invariance"}


def test_settings_are_those_that_the_search_chose() -> None:
    assert CLAIM.pretrain_spec("vicreg") == SEARCH.pretrain_spec("vicreg-inv10")
    assert CLAIM.pretrain_spec("vicreg-mild") == SEARCH.pretrain_spec("vicreg-hue10")
    assert CLAIM.pretrain_spec("mast") == SEARCH.pretrain_spec("mast")
