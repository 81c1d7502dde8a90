"""Images before and masks after a detector equal detectron2's."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

from mast.models.detector_images import ReferenceTransform, pasted, resized


def transform(short: int = 48, longest: int = 70) -> ReferenceTransform:
    return ReferenceTransform(short, longest, [0.0] * 3, [1.0] * 3).eval()


def detectron2s(height: int, width: int, size: int, max_size: int) -> tuple[int, int]:
    """ResizeShortestEdge (data/transforms/augmentation_impl.py), in its own steps."""
    new = (float(size), size / height * width) if height < width else (size / width * height, float(size))
    if max(new) > max_size:
        scale = max_size / max(new)
        new = (new[0] * scale, new[1] * scale)
    return int(new[0] + 0.5), int(new[1] + 0.5)


def test_sizes_are_rounded_to_the_nearest() -> None:
    sizes = [(375, 500), (1000, 450), (500, 333), (480, 640), (640, 427), (333, 1000), (97, 61), (50, 50)]
    for size in sizes:
        for short in range(480, 801, 32):
            assert resized(size, short, 1333) == detectron2s(*size, short, 1333), (size, short)
    assert resized((333, 1000), 800, 1333) == (444, 1333)
    assert resized((200, 90), 48, 70) == (70, 32)  # of 31.5, on which rounding errors decide


@pytest.mark.parametrize("size", [(120, 150), (30, 41), (90, 200)])
def test_images_are_resized_as_pillow_does(size: tuple[int, int]) -> None:
    """Down with antialiasing and up. Pillow's weights are whole numbers: one pixel of a hundred may be a level off."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    found = transform().resize(image)[0].permute(1, 2, 0).numpy() * 255
    height, width = found.shape[:2]
    wanted = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found, found.round(), atol=1e-4)
    assert np.abs(found - wanted).max() < 1.001 and np.abs(found - wanted).mean() < 0.01


def test_an_image_of_the_right_size_stays_as_it_is_and_is_normalised() -> None:
    image = torch.rand(3, 48, 60)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]
    found = ReferenceTransform(48, 70, mean, std).eval()([image])[0].tensors[0]
    torch.testing.assert_close(found, (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None])


def test_batches_are_padded_to_their_largest_image_and_no_further() -> None:
    images, _ = transform()([torch.ones(3, 48, 61), torch.ones(3, 63, 48)])
    assert images.tensors.shape == (2, 3, 63, 61) and images.image_sizes == [(48, 61), (63, 48)]
    assert images.tensors[0, :, 48:].abs().max() == 0


def test_boxes_and_masks_are_resized_with_their_image() -> None:
    """Masks are resized as by Pillow with the nearest pixel."""
    mask = (np.random.default_rng(0).random((24, 31)) > 0.5).astype(np.uint8)
    target = {"boxes": torch.tensor([[3.0, 6.0, 31.0, 24.0]]), "masks": torch.from_numpy(mask)[None]}
    images, [found] = transform()([torch.zeros(3, 24, 31)], [target])
    assert images.image_sizes == [(48, 62)]
    assert found["boxes"].tolist() == [[6, 12, 62, 48]]
    wanted = np.asarray(Image.fromarray(mask).resize((62, 48), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(found["masks"][0], wanted)
    assert found["masks"].dtype == torch.uint8


def test_masks_are_interpolated_at_the_centres_of_pixels() -> None:
    """The oracle is scipy in float64: a mask's values are those at the centres of its cells, zero beyond."""
    generator = np.random.default_rng(0)
    masks = generator.random((2, 1, 14, 14))
    boxes = np.array([[3.25, 4.5, 30.75, 21.0], [-4.0, 10.0, 12.0, 40.0]])
    found = pasted(torch.from_numpy(masks), torch.from_numpy(boxes), (32, 36))
    assert found.shape == (2, 1, 32, 36)
    for mask, (left, top, right, bottom), image in zip(masks[:, 0], boxes, found[:, 0].numpy(), strict=True):
        y = (np.arange(32) + 0.5 - top) / (bottom - top) * 14 - 0.5
        x = (np.arange(36) + 0.5 - left) / (right - left) * 14 - 0.5
        places = np.meshgrid(y + 1, x + 1, indexing="ij")
        np.testing.assert_allclose(image, map_coordinates(np.pad(mask, 1), places, order=1, cval=0.0), atol=1e-9)


def test_what_is_found_goes_back_to_the_image_as_it_came() -> None:
    result = [{"boxes": torch.tensor([[6.0, 12.0, 62.0, 48.0]]), "masks": torch.ones(1, 1, 14, 14)}]
    [found] = transform().postprocess(result, [(48, 62)], [(24, 31)])
    assert found["boxes"].tolist() == [[3, 6, 31, 24]]
    inside = torch.zeros(24, 31)
    inside[6:, 3:] = 1
    assert torch.equal((found["masks"][0, 0] > 0.5).float(), inside)
