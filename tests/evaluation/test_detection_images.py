"""The order of a detector's training images where they are grouped by their shape: that of detectron2's GPUs."""

from collections import Counter
from itertools import chain, islice
from types import SimpleNamespace

import pytest
import torch

from mast.evaluation.detection_images import GroupedBatches, OwnRows


class Shapes(SimpleNamespace):
    """Images of which only their shapes are known."""

    def wide(self) -> list[bool]:
        return self.shapes


def detectron2s(shapes: list[bool], batch_size: int, gpus: int, seed: int, count: int) -> list[list[int]]:
    """The batches of all GPUs, one by one as TrainingSampler and AspectRatioGroupedDataset are written."""
    generator = torch.Generator().manual_seed(seed)
    epochs = [torch.randperm(len(shapes), generator=generator).tolist() for _ in range(40 * count)]
    indices = list(chain(*epochs))
    of_gpus = []
    for rank in range(gpus):
        buckets: list[list[int]] = [[], []]
        batches = []
        for index in indices[rank::gpus]:
            bucket = buckets[0 if shapes[index] else 1]
            bucket.append(index)
            if len(bucket) == batch_size // gpus:
                batches.append(bucket[:])
                del bucket[:]
        of_gpus.append(batches[:count])
    return [list(chain(*parts)) for parts in zip(*of_gpus, strict=True)]


@pytest.mark.parametrize(("wide", "high"), [(17, 6), (3, 5), (0, 9), (1, 30)])
@pytest.mark.parametrize("part", [1, 2, 4, 8])
def test_batches_are_those_of_the_gpus_of_the_reference(wide: int, high: int, part: int) -> None:
    shapes = [True] * wide + [False] * high
    own = list(islice(GroupedBatches(Shapes(shapes=shapes), 8, part, seed=3), 12))
    assert own == detectron2s(shapes, 8, 8 // part, 3, 12)
    for batch in own:
        for start in range(0, 8, part):
            assert len({shapes[position] for position in batch[start : start + part]}) == 1


def test_no_image_is_left_out_at_the_end_of_an_epoch() -> None:
    """After many epochs each image has come as often as any other, but for those that still wait."""
    shapes = [True] * 5 + [False] * 8
    batches = GroupedBatches(Shapes(shapes=shapes), 4, 2, seed=0)
    assert len(batches) == 3
    times = Counter(chain(*islice(batches, 13 * 50)))
    assert sum(times.values()) == 4 * 13 * 50 and max(abs(count - 200) for count in times.values()) <= 2


def test_a_process_goes_on_where_it_stopped_with_its_rows() -> None:
    batches = GroupedBatches(Shapes(shapes=[True, False] * 7), 4, 2, seed=1)
    whole = list(islice(batches, 20))
    rows = OwnRows(batches, slice(2, 4))
    assert list(islice(rows, 20)) == [batch[2:] for batch in whole] and len(rows) == 3
    rows.skip = 8
    assert list(islice(rows, 12)) == [batch[2:] for batch in whole[8:]]
