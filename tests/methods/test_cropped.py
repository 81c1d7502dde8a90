"""Every method trains on views that are cropped beforehand as on views that it crops itself."""

import pytest
import torch
from support.methods import COUNT, drawn, images, learner_of

from mast.augment.views import Drawn
from mast.methods import METHODS

TRAINED = sorted(set(METHODS) - {"untrained"})


@pytest.mark.parametrize("method", TRAINED)
def test_views_that_are_not_cropped_are_the_images(method: str) -> None:
    """The same loss from the images, and from as many copies of them as there are views."""
    losses, labels = [], torch.zeros(COUNT, 1, dtype=torch.int64)
    for copied in (False, True):
        learner = learner_of(method=method, policy={"crop": {"probability": 0}}, classes=[2])
        views = learner.draw(COUNT, drawn())
        shown = images().expand(len(views.params), -1, -1, -1, -1) if copied else images()
        losses.append(learner(shown, labels, views).loss)
    assert torch.equal(*losses)


@pytest.mark.parametrize("method", ["cassle", "augself"])
def test_what_networks_are_told_is_the_box_in_the_original(method: str) -> None:
    """The same crops at other boxes: another loss, for the boxes are read or predicted."""
    learner, sizes = learner_of(method=method), torch.tensor([[40, 30]]).expand(COUNT, 2)
    views = learner.draw(COUNT, drawn(), sizes)
    elsewhere = [params | {"crop": params["crop"].roll(1, 0)} for params in views.params]
    crops = images().expand(2, -1, -1, -1, -1)
    losses = [learner(crops, None, each).loss for each in (views, views, Drawn(tuple(elsewhere), views.active))]
    assert torch.equal(losses[0], losses[1]) and not torch.equal(losses[0], losses[2])
