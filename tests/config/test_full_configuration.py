"""config/full.yaml contains one of everything."""

from itertools import product
from typing import get_args

from support import ROOT

from mast.augment.settings import PairingName
from mast.config.load import load_experiment
from mast.models.settings import UncertaintySpec
from mast.protocols import PROTOCOLS

CONFIG = ROOT / "config"
FULL = load_experiment(CONFIG / "full.yaml")
MAST = [spec.mast for spec in map(FULL.pretrain_spec, FULL.runs) if spec.mast is not None]


def test_every_protocol_is_in_a_study() -> None:
    assert {FULL.protocols[study.protocol].kind for study in FULL.studies.values()} == set(PROTOCOLS)


def test_every_pairing_and_form_of_uncertainty_is_a_run() -> None:
    used = {kind for spec in MAST for kind in spec.pairing.mixture}
    assert used == set(get_args(PairingName))
    forms = {(spec.uncertainty.kind, spec.uncertainty.form) for spec in MAST if spec.uncertainty.kind != "none"}
    fields = UncertaintySpec.model_fields
    kinds = set(get_args(fields["kind"].annotation)) - {"none"}
    possible = set(product(kinds, get_args(fields["form"].annotation)))
    assert forms == possible - {("subspace", "likelihood")}  # which is refused
    assert any(spec.uncertainty.kind == "none" for spec in MAST)


def test_both_augmentation_sets_and_five_seeds() -> None:
    policies = [FULL.pretrain_spec(run).policy for run in FULL.runs]
    assert {policy.augmentations for policy in policies if policy is not None} >= {"mast5", "mast15"}
    assert all(len(FULL.run_seeds(run)) == 5 for run in FULL.runs)


def test_runs_of_the_short_version_differ_in_their_epochs_only() -> None:
    short = load_experiment(CONFIG / "config.yaml")
    for run in short.runs.keys() & FULL.runs.keys():
        same = short.pretrain_spec(run).model_copy(update={"epochs": FULL.pretrain_spec(run).epochs})
        assert FULL.pretrain_spec(run) == same, run


def test_the_short_version_has_every_protocol_too() -> None:
    short = load_experiment(CONFIG / "config.yaml")
    kinds = {spec.kind for spec in FULL.protocols.values()}
    assert {short.protocols[study.protocol].kind for study in short.studies.values()} == kinds
