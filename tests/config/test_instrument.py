"""config/instrument.yaml uses no image or seed of a claim, and states how its runs differ."""

from support import ROOT

from mast.config.load import load_experiment

INSTRUMENT, CLAIM, SEARCH = (
    load_experiment(ROOT / f"config/{name}.yaml") for name in ("instrument", "claim", "claim-search")
)


def test_only_development_seeds_and_validation_images_are_looked_at() -> None:
    seeds = {seed for run in INSTRUMENT.runs for seed in INSTRUMENT.run_seeds(run)}
    assert seeds == set(range(100, 105))
    assert seeds.isdisjoint(seed for run in CLAIM.runs for seed in CLAIM.run_seeds(run))
    assert {protocol.split for protocol in INSTRUMENT.protocols.values()} == {"val"}


def test_the_baseline_is_that_of_the_claim_but_for_its_length_and_its_images() -> None:
    claimed = CLAIM.pretrain_spec("vicreg")
    for run, dataset in (("vicreg-30", "shapes"), ("letters-vicreg-30", "typefaces")):
        expected = claimed.model_copy(update={"epochs": 30, "precision": "fp32", "dataset": dataset})
        assert INSTRUMENT.pretrain_spec(run) == expected
        assert len(INSTRUMENT.run_seeds(run)) == 5
    assert INSTRUMENT.datasets["shapes"].version == 2 and SEARCH.datasets["shapes"].version == 1
