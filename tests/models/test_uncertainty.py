"""The uncertainty head starts with the right variance, and reads the right features."""

import pytest
import torch

from mast.models.settings import UncertaintySpec
from mast.models.uncertainty import UncertaintyHead


@pytest.mark.parametrize("smallest", [0.01, 0.3])
def test_every_variance_starts_at_a_half(smallest: float) -> None:
    head = UncertaintyHead(6, 4, UncertaintySpec(kind="isotropic", min_variance=smallest))
    torch.testing.assert_close(head(torch.randn(5, 6)), torch.full((5, 4), 0.5))


@pytest.mark.parametrize(("form", "reached"), [("relative", False), ("likelihood", True)])
def test_the_encoder_learns_through_it_in_the_form_likelihood_alone(form: str, reached: bool) -> None:
    head = UncertaintyHead(6, 4, UncertaintySpec(kind="isotropic", form=form))
    torch.nn.init.ones_(head.output.weight)
    features = torch.randn(5, 6, requires_grad=True)
    head.of_views(features).sum().backward()
    assert (features.grad is not None) == reached
    assert head.hidden.weight.grad.abs().sum() > 0
