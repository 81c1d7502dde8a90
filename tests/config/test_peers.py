"""config/peers.yaml tries every method on development seeds, and each of its runs takes a step at the tiny scale."""

import math

import pytest
import torch
from support import ROOT
from support.methods import drawn, images

from mast.config.load import load_experiment
from mast.distributed import ALONE
from mast.learner import Learner
from mast.methods import METHODS
from mast.preflight.experiment import check_experiment

PEERS = load_experiment(ROOT / "config/peers.yaml")
SEARCH = load_experiment(ROOT / "config/claim-search.yaml")
TINY = load_experiment(ROOT / "config/peers.yaml", {"scale": "tiny"})


def test_every_method_that_trains_without_labels_is_tried() -> None:
    used = {PEERS.runs[run].method for run in PEERS.studies["methods"].runs}
    assert used == set(METHODS) - {"untrained", "supervised"}


def test_data_seeds_and_split_are_those_of_development() -> None:
    assert PEERS.datasets["shapes"] == SEARCH.datasets["shapes"].model_copy(update={"version": 2})
    assert PEERS.seeds[:2] == SEARCH.seeds and set(PEERS.seeds) == set(range(100, 105))
    assert {protocol.split for protocol in PEERS.protocols.values()} == {"val"}


def test_the_baselines_are_what_the_search_chose() -> None:
    for run, chosen in (("vicreg", "vicreg-inv10"), ("mast", "mast")):
        assert PEERS.pretrain_spec(run) == SEARCH.pretrain_spec(chosen).model_copy(update={"precision": "fp32"})


def test_nothing_is_refused_when_it_is_planned() -> None:
    check_experiment(PEERS)
    check_experiment(TINY)


@pytest.mark.parametrize("run", PEERS.runs)
def test_each_run_takes_a_step_at_the_tiny_scale(run: str) -> None:
    spec = TINY.pretrain_spec(run)
    torch.manual_seed(0)
    learner = Learner(METHODS[spec.method](spec), 16, [0.5] * 3, [0.25] * 3, [], ALONE).train()
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.01)
    before = learner.encoder.conv1.weight.detach().clone()
    outcome = learner(images()[: spec.batch_size], None, learner.draw(spec.batch_size, drawn()))
    outcome.loss.backward()
    optimizer.step()
    assert all(math.isfinite(term.item()) for term in (outcome.loss, *outcome.terms.values()))
    assert outcome.embedding.shape[0] == spec.batch_size and not outcome.embedding.requires_grad
    assert not torch.equal(before, learner.encoder.conv1.weight)
