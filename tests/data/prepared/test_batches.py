"""An epoch is whole batches of distinct images, shuffled by seed and epoch, and resumes at any step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

from mast.data.prepared.batches import TrainingBatches
from mast.errors import MastError


def numbered(count: int) -> np.ndarray:
    """Images whose pixels all hold the image's own number."""
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 2, 3, 3))


sizes = st.integers(1, 60).flatmap(lambda count: st.tuples(st.just(count), st.integers(1, count)))
seeds = st.integers(0, 2**32)
epochs = st.integers(0, 1000)


@given(sizes, seeds, epochs)
def test_an_epoch_is_whole_batches_of_distinct_images(size: int, seed: int, epoch: int) -> None:
    count, batch_size = size
    batches = TrainingBatches(numbered(count), None, batch_size, seed)
    assert batches.steps_per_epoch == count // batch_size
    drawn = [batches.indices(epoch, step) for step in range(batches.steps_per_epoch)]
    assert {len(rows) for rows in drawn} == {batch_size}
    assert len(np.unique(np.concatenate(drawn))) == batches.steps_per_epoch * batch_size


@given(sizes, seeds, epochs, st.integers(1, 4))
@example(size=(5, 1), seed=0, epoch=0, parts=4)  # fewer images than the last batch is filled up to
def test_with_the_last_batch_kept_an_epoch_holds_every_image(size: int, seed: int, epoch: int, parts: int) -> None:
    count, batch_size = size[0], size[1] * parts
    if count < batch_size:
        return
    dropping = TrainingBatches(numbered(count), None, batch_size, seed)
    keeping = TrainingBatches(numbered(count), None, batch_size, seed, keep_last=True, parts=parts)
    drawn = [keeping.indices(epoch, step) for step in range(keeping.steps_per_epoch)]
    assert [len(rows) for rows in drawn] == [keeping.size(step) for step in range(keeping.steps_per_epoch)]
    assert all(np.array_equal(drawn[step], dropping.indices(epoch, step)) for step in range(dropping.steps_per_epoch))
    order = np.concatenate(drawn)
    assert sorted(order[:count]) == list(range(count)) and np.array_equal(order[count:], order[: len(order) - count])
    assert len(drawn[-1]) % parts == 0 and (len(drawn[-1]) >= 2 * parts or batch_size < 2 * parts)


@pytest.mark.parametrize(
    ("count", "batch_size", "steps"),
    [(1_281_167, 2048, 626), (1_281_167, 512, 2503), (1_281_167, 256, 5005), (12_811, 256, 51), (128_116, 256, 501)],
)
@pytest.mark.parametrize("processes", [1, 8, 32])
def test_an_epoch_has_as_many_steps_as_torchs_own_loader_makes_of_it(
    count: int, batch_size: int, steps: int, processes: int
) -> None:
    """As main_vicreg.py and evaluate.py build it: ImageNet, and SimCLR's lists of 1 % and 10 %."""
    sampler = DistributedSampler(range(count), num_replicas=processes, rank=0)
    loader = DataLoader(range(count), batch_size // processes, sampler=sampler)
    images = np.broadcast_to(np.zeros((1, 1, 1, 3), np.uint8), (count, 1, 1, 3))
    batches = TrainingBatches(images, None, batch_size, seed=0, keep_last=True, parts=processes)
    assert batches.steps_per_epoch == len(loader) == steps
    last = len(sampler) - (steps - 1) * (batch_size // processes)
    assert batches.size(steps - 1) == processes * max(2, last)


@given(sizes, seeds, epochs, st.data())
def test_any_step_can_be_resumed(size: int, seed: int, epoch: int, data: st.DataObject) -> None:
    count, batch_size = size
    running = TrainingBatches(numbered(count), None, batch_size, seed)
    for earlier in range(2):
        running.indices(earlier, 0)
    step = data.draw(st.integers(0, running.steps_per_epoch - 1))
    resumed = TrainingBatches(numbered(count), None, batch_size, seed)
    assert np.array_equal(running.indices(epoch, step), resumed.indices(epoch, step))


def test_seeds_and_epochs_shuffle_differently() -> None:
    orders = {
        TrainingBatches(numbered(100), None, 100, seed).indices(epoch, 0).tobytes()
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(orders) == 9


def test_every_image_is_left_out_sometimes() -> None:
    batches = TrainingBatches(numbered(10), None, 8, seed=0)
    left_out = {row for epoch in range(60) for row in set(range(10)) - set(batches.indices(epoch, 0).tolist())}
    assert left_out == set(range(10))


def test_images_keep_their_labels_and_layout() -> None:
    labels = np.stack([np.arange(20), np.arange(20) * 2], 1)
    images, targets = TrainingBatches(numbered(20), labels, 6, seed=1).batch(2, 1)
    assert images.shape == (6, 3, 2, 3) and images.dtype == torch.uint8
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert targets.dtype == torch.int64
    assert torch.equal(images[:, 0, 0, 0].long(), targets[:, 0])
    assert torch.equal(targets[:, 1], 2 * targets[:, 0])


def test_pixels_land_where_they_were() -> None:
    source = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    batches = TrainingBatches(source, None, 4, seed=0)
    images, labels = batches.batch(0, 0)
    assert labels is None
    assert np.array_equal(images.numpy().transpose(0, 2, 3, 1), source[batches.indices(0, 0)])


def test_mapped_read_only_arrays_are_served(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.ascontiguousarray(numbered(8)))
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    images, _ = TrainingBatches(mapped, None, 4, seed=0).batch(0, 0)
    images += 1
    assert np.array_equal(mapped, numbered(8))


def test_too_few_images_for_a_batch() -> None:
    with pytest.raises(MastError, match="batch_size: 8 is more than the 5 training images; set batch_size to 5"):
        TrainingBatches(numbered(5), None, 8, seed=0)


@pytest.mark.parametrize("step", [-1, 2])
def test_steps_outside_the_epoch_are_refused(step: int) -> None:
    with pytest.raises(IndexError):
        TrainingBatches(numbered(5), None, 2, seed=0).batch(0, step)


def test_pinned_batches_are_the_same_and_the_next_is_pinned_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Tensor] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: pinned.append(self) or self)
    labels = np.arange(20)[:, None]
    plain, ahead = (TrainingBatches(numbered(20), labels, 6, seed=1, pin_memory=pin) for pin in (False, True))
    for epoch, step in ((0, 0), (0, 1), (0, 2), (1, 0), (0, 1)):
        for expected, found in zip(plain.batch(epoch, step), ahead.batch(epoch, step), strict=True):
            assert torch.equal(expected, found)
            assert any(found.data_ptr() == each.data_ptr() for each in pinned)
    ahead._ahead.shutdown()
    assert len(pinned) == 5 + 2 + 5  # labels; images read on request; images read ahead


def test_shares_of_a_short_last_batch_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of another size is read on request; images that are read ahead are always used."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    batches = TrainingBatches(numbered(20), None, 8, seed=1, keep_last=True, parts=2, pin_memory=True)
    assert [batches.size(step) for step in range(3)] == [8, 8, 4]
    for epoch in range(5):
        for step in range(3):
            half = batches.size(step) // 2
            for share in (slice(0, half), slice(half, 2 * half)):
                images, _ = batches.batch(epoch, step, share)
                expected = batches.indices(epoch, step)[share]
                assert images[:, 0, 0, 0].tolist() == expected.tolist()
    batches._ahead.shutdown()
    assert len(batches._pending) <= 2
