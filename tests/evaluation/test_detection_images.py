"""A detector's training images are shuffled, and grouped by their shape if configured."""

from types import SimpleNamespace

import pytest
import torch

from mast.evaluation.detection_images import GroupedOrder, ShuffledOrder


class Shapes(SimpleNamespace):
    """Images of which only their shapes are known."""

    def wide(self) -> list[bool]:
        return self.shapes

    def __len__(self) -> int:
        return len(self.shapes)


def orders(shapes: list[bool], batch_size: int) -> tuple[GroupedOrder, ShuffledOrder]:
    images = Shapes(shapes=shapes)
    first, second = (torch.Generator().manual_seed(3) for _ in range(2))
    return GroupedOrder(images, batch_size, first), ShuffledOrder(images, generator=second)


def detectron2s(order: list[int], shapes: list[bool], batch_size: int) -> list[list[int]]:
    """The batches of AspectRatioGroupedDataset (data/common.py) from a stream, in its own steps."""
    buckets: list[list[int]] = [[], []]
    batches = []
    for position in order:
        bucket = buckets[0 if shapes[position] else 1]
        bucket.append(position)
        if len(bucket) == batch_size:
            batches.append(bucket[:])
            del bucket[:]
    return batches


@pytest.mark.parametrize(("wide", "high"), [(17, 6), (3, 2), (8, 4), (0, 9)])
def test_batches_hold_images_of_one_shape(wide: int, high: int) -> None:
    """All but one at the end, which what is left of both kinds shares; and there are as many batches as without."""
    shapes = [True] * wide + [False] * high
    grouped, shuffled = orders(shapes, 4)
    for _ in range(3):
        own, plain = list(grouped), list(shuffled)
        whole = detectron2s(plain, shapes, 4)
        assert sorted(own) == sorted(plain) == list(range(wide + high))
        assert [own[start : start + 4] for start in range(0, 4 * len(whole), 4)] == whole
        assert len(own) // 4 - len(whole) in (0, 1)
    assert len(grouped) == wide + high


def test_images_of_one_shape_have_the_order_that_they_would_have_anyway() -> None:
    grouped, shuffled = orders([False] * 11, 4)
    for _ in range(2):
        assert list(grouped) == list(shuffled)


def test_what_is_done_of_an_epoch_is_left_out() -> None:
    grouped, _ = orders([True, False] * 7, 4)
    again, _ = orders([True, False] * 7, 4)
    again.skip = 8
    assert list(grouped)[8:] == list(again)
    assert torch.equal(grouped.generator.get_state(), again.generator.get_state())
