"""The detector of published values has the constants, shapes and losses of R50-C4 with moco's normalisation.

Constants are those of detectron2's config/defaults.py under configs/Base-RCNN-C4.yaml and facebookresearch/moco's
detection/configs/Base-RCNN-C4-BN.yaml.
"""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from scipy.ndimage import map_coordinates
from torch import nn

from mast.evaluation.detection_optimizer import build_optimizer
from mast.models.detector import Detector
from mast.models.detector_c4 import ExactAnchors
from mast.models.detector_c4_heads import box_loss, mask_loss, mask_targets
from mast.models.encoder import build_encoder
from mast.models.settings import EncoderSpec
from mast.protocols.detection import DetectionProtocol

CLASSES = 3
SMALL = {"min_size": 64, "max_size": 96, "anchor_sizes": (8, 16, 24, 32, 48), "proposals": 20, "rois": 8}


def build(encoder: EncoderSpec, **settings: Any) -> Detector:
    torch.manual_seed(0)
    protocol = DetectionProtocol(kind="detection", architecture="c4", **settings)
    mean = torch.full((1, 3, 1, 1), 0.5)
    return Detector(build_encoder(encoder), CLASSES, mean, mean, protocol)


@pytest.fixture(scope="module")
def published() -> Detector:
    """ResNet-50 with the defaults, which are the published settings."""
    return build(EncoderSpec(name="resnet50"), masks=True)


def small(**settings: Any) -> Detector:
    return build(EncoderSpec(name="resnet-narrow", stem="small", widths=(8, 8, 16, 16)), **(SMALL | settings))


def examples(count: int = 2, side: int = 64) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    """Images of noise with one object each."""
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(3, side, side, generator=generator) for _ in range(count)]
    masks = torch.zeros(1, side, side, dtype=torch.uint8)
    masks[0, 10:40, 20:60] = 1
    target = {"boxes": torch.tensor([[20.0, 10.0, 60.0, 40.0]]), "labels": torch.tensor([2]), "masks": masks}
    return images, [dict(target) for _ in images]


def test_constants_are_those_of_the_published_configuration(published: Detector) -> None:
    rpn, heads = published.rpn, published.roi_heads
    counts = {
        True: (rpn.pre_nms_top_n(), rpn.post_nms_top_n()),
        False: (published.eval().rpn.pre_nms_top_n(), rpn.post_nms_top_n()),
    }
    published.train()
    assert counts == {True: (12_000, 2_000), False: (6_000, 1_000)}
    assert (rpn.nms_thresh, rpn.score_thresh, rpn.box_coder.weights) == (0.7, 0.0, (1, 1, 1, 1))
    assert (rpn.proposal_matcher.high_threshold, rpn.proposal_matcher.low_threshold) == (0.7, 0.3)
    assert rpn.proposal_matcher.allow_low_quality_matches and not heads.proposal_matcher.allow_low_quality_matches
    assert (rpn.fg_bg_sampler.batch_size_per_image, rpn.fg_bg_sampler.positive_fraction) == (256, 0.5)
    assert (heads.fg_bg_sampler.batch_size_per_image, heads.fg_bg_sampler.positive_fraction) == (512, 0.25)
    assert (heads.proposal_matcher.high_threshold, heads.proposal_matcher.low_threshold) == (0.5, 0.5)
    assert (heads.score_thresh, heads.nms_thresh, heads.detections_per_img) == (0.05, 0.5, 100)
    assert heads.box_coder.weights == (10, 10, 5, 5)
    for coder in (rpn.box_coder, heads.box_coder):
        assert coder.bbox_xform_clip == pytest.approx(math.log(1000 / 16))  # modeling/box_regression.py
    pool = heads.box_roi_pool
    assert (pool.output_size, pool.spatial_scale, pool.sampling_ratio, pool.aligned) == (14, 1 / 16, 0, True)


def test_weights_at_the_start_are_those_of_detectron2(published: Detector) -> None:
    """modeling/proposal_generator/rpn.py, roi_heads/fast_rcnn.py and mask_head.py; biases are 0."""
    heads, rpn = published.roi_heads, published.rpn.head
    layers = {
        heads.box_predictor.cls_score: 0.01,
        heads.box_predictor.bbox_pred: 0.001,
        heads.mask_predictor.mask_fcn_logits: 0.001,
        heads.mask_predictor.conv5_mask: math.sqrt(
            2 / (2048 * 2 * 2)
        ),  # by fan-out as torch counts that of a deconvolution
        rpn.conv[0][0]: 0.01,
        rpn.cls_logits: 0.01,
        rpn.bbox_pred: 0.01,
    }
    for layer, std in layers.items():
        tolerance = 5 / math.sqrt(2 * layer.weight.numel())  # five standard errors
        assert layer.weight.std().item() == pytest.approx(std, rel=tolerance), layer
        assert not layer.bias.any()


def test_shapes_at_each_step(published: Detector) -> None:
    """An image of 100 × 150 pixels has ⌈100/16⌉ × ⌈150/16⌉ features: detectron2 pads no single image."""
    published.eval()
    heads = published.roi_heads
    transform = published.transform
    images = transform.batch_images([torch.zeros(3, 100, 150)], transform.size_divisible)
    with torch.no_grad():
        [level] = published.backbone(images).values()
        logits, deltas = published.rpn.head([level])
        pooled = heads.box_roi_pool(level, [torch.tensor([[0.0, 0.0, 150.0, 100.0], [10.0, 10.0, 40.0, 90.0]])])
        regions = heads.box_head(pooled)
        classes, boxes = heads.box_predictor(regions.mean(dim=(2, 3)))
        masks = heads.mask_predictor(regions)
    published.train()
    assert level.shape == (1, 1024, 7, 10)
    assert (logits[0].shape, deltas[0].shape) == ((1, 15, 7, 10), (1, 60, 7, 10))
    assert pooled.shape == (2, 1024, 14, 14)
    assert regions.shape == (2, 2048, 7, 7)
    assert (classes.shape, boxes.shape) == ((2, CLASSES + 1), (2, 4 * (CLASSES + 1)))
    assert heads.mask_predictor.conv5_mask.out_channels == 256
    assert masks.shape == (2, CLASSES + 1, 14, 14)


def test_the_encoder_is_trained_and_only_normalisation_does_not_decay(published: Detector) -> None:
    """FREEZE_AT is 0; WEIGHT_DECAY_NORM 0, also of the norm behind the fourth stage; biases decay."""
    spec = DetectionProtocol(kind="detection", architecture="c4", masks=True)
    decays, rests = build_optimizer(published, spec).param_groups
    assert (decays["weight_decay"], rests["weight_decay"], decays["lr"]) == (1e-4, 0, 0.02)
    names = {id(parameter): name for name, parameter in published.named_parameters()}
    assert all(parameter.requires_grad for parameter in published.parameters())
    resting = {names[id(parameter)] for parameter in rests["params"]}
    norms = {name for name, module in published.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert resting == {f"{name}.{kind}" for name in norms for kind in ("weight", "bias")}
    assert len(norms) == 53 + 1 and "roi_heads.box_head.norm" in norms  # 53 of ResNet-50
    decaying = {names[id(parameter)] for parameter in decays["params"]}
    assert {"roi_heads.box_predictor.bbox_pred.bias", "rpn.head.conv.0.0.bias", "backbone.conv1.weight"} <= decaying
    assert len(decays["params"]) + len(rests["params"]) == len(names)


def test_anchors_are_exact_and_a_stride_apart() -> None:
    """detectron2's DefaultAnchorGenerator, written out: width √(s²/r), height r · width, the first around (0, 0)."""
    anchors = ExactAnchors((32, 64, 128, 256, 512), 16)
    cells = {
        tuple(np.round([-w / 2, -w * r / 2, w / 2, w * r / 2], 3))
        for s in (32, 64, 128, 256, 512)
        for r in (0.5, 1.0, 2.0)
        for w in (math.sqrt(s * s / r),)
    }
    [own] = anchors.cell_anchors
    assert {tuple(np.round(anchor, 3)) for anchor in own.double().numpy()} == cells and len(own) == 15
    odd = torch.tensor(801 // 51)  # what torchvision derives for an image of 801 pixels
    [grid] = anchors.grid_anchors([[2, 3]], [[odd, odd]])
    grid = grid.reshape(2, 3, 15, 4)
    torch.testing.assert_close(grid[1, 2], own + torch.tensor([32, 16, 32, 16]))


def test_the_norm_comes_behind_the_fourth_stage() -> None:
    """The norm is after the last ReLU, before the mean over positions, and its output goes to boxes and masks."""
    detector = small(masks=True)
    head = detector.roi_heads.box_head
    for value in (head.norm.running_mean, head.norm.running_var, head.norm.weight.data, head.norm.bias.data):
        nn.init.uniform_(value, 0.5, 2.0)
    regions = torch.randn(5, 16, 14, 14)
    seen: list[torch.Tensor] = []
    detector.roi_heads.box_predictor.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    detector.eval()
    with torch.no_grad():
        stage = head.stage(regions)
        assert stage.min() == 0
        norm = head.norm
        mean, variance = (value.double()[:, None, None] for value in (norm.running_mean, norm.running_var))
        scale, shift = (value.double()[:, None, None] for value in (norm.weight, norm.bias))
        expected = (stage.double() - mean) / (variance + 1e-5).sqrt() * scale + shift
        torch.testing.assert_close(head(regions).double(), expected, rtol=0, atol=1e-5)
        detector([torch.rand(3, 64, 64)])
    assert seen[0].shape[1:] == (16,) and seen[0].min() < 0


def test_masks_and_boxes_share_the_features_of_a_region_in_training() -> None:
    """One pass through the fourth stage: its statistics are of all regions, not also of those with an object."""
    detector = small(masks=True).train()
    passes: list[int] = []
    detector.roi_heads.box_head.register_forward_hook(lambda _module, inputs, _output: passes.append(len(inputs[0])))
    losses = detector(*examples())
    assert set(losses) == {"loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"}
    assert len(passes) == 1 and detector.roi_heads.box_head.norm.num_batches_tracked == 1
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in detector.parameters())


@pytest.mark.parametrize(
    ("settings", "kept", "trained"),
    [
        ({"backbone": "frozen"}, True, False),
        ({"batch_norm": "encoder"}, True, True),
        ({}, False, True),
    ],
)
def test_what_is_kept_of_the_encoder_is_also_kept_of_its_fourth_stage(
    settings: dict, kept: bool, trained: bool
) -> None:
    detector = small(**settings).train()
    own = [*detector.backbone.modules(), *detector.roi_heads.box_head.stage.modules()]
    norms = [module for module in own if isinstance(module, nn.BatchNorm2d)]
    assert {norm.training for norm in norms} == {not kept} and len(norms) == 12
    assert detector.roi_heads.box_head.norm.training
    assert {parameter.requires_grad for module in own for parameter in module.parameters()} == {trained}
    assert detector.roi_heads.box_head.norm.weight.requires_grad


@pytest.mark.parametrize(
    ("name", "stem", "stride"),
    [
        ("resnet-narrow", "imagenet", 16),
        ("resnet-narrow", "small", 8),
        ("resnet18", "small", 4),
        ("timm/resnet10t", "imagenet", 16),
    ],
)
def test_any_encoder_with_four_stages_will_do(name: str, stem: str, stride: int) -> None:
    detector = build(EncoderSpec(name=name, stem=stem), **SMALL).eval()
    [level] = detector.backbone(torch.zeros(1, 3, 64, 64)).values()
    assert level.shape[-1] == 64 / stride
    assert detector.roi_heads.box_roi_pool.spatial_scale == 1 / stride
    assert detector.rpn.anchor_generator.stride == stride
    assert detector.roi_heads.box_head(torch.zeros(1, level.shape[1], 14, 14)).shape[-1] == 7


def aligned(features: np.ndarray, box: np.ndarray, scale: float, side: int) -> np.ndarray:
    """ROIAlignV2 in float64: mean of samples at equal distances, one per pixel, values at the pixels' centres."""
    left, top, right, bottom = box * scale - 0.5
    height, width = (bottom - top) / side, (right - left) / side
    down, across = math.ceil(height), math.ceil(width)
    values = np.empty((side, side))
    for row in range(side):
        for column in range(side):
            y = top + (row + (np.arange(down) + 0.5) / down) * height
            x = left + (column + (np.arange(across) + 0.5) / across) * width
            values[row, column] = map_coordinates(features, np.meshgrid(y, x, indexing="ij"), order=1).mean()
    return values


def test_regions_are_aligned_to_half_a_pixel_and_sampled_as_they_are_large(published: Detector) -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(50, 60))
    boxes = np.array([[32.0, 48.0, 130.0, 200.0], [20.5, 33.25, 900.0, 780.0], [400.0, 300.0, 409.0, 312.0]])
    level = torch.from_numpy(features).float()[None, None]
    found = published.roi_heads.box_roi_pool(level, [torch.from_numpy(boxes).float()])
    for box, values in zip(boxes, found[:, 0], strict=True):
        np.testing.assert_allclose(values, aligned(features, box, 1 / 16, 14), atol=2e-5)


def test_boxes_of_regions_are_learned_by_l1() -> None:
    """In float64, region by region: only the own class counts, the background does not, divided by all regions."""
    generator = torch.Generator().manual_seed(0)
    predicted, wanted = torch.randn(6, 16, generator=generator), 0.1 * torch.randn(6, 4, generator=generator)
    classes = torch.tensor([0, 3, 1, 0, 2, 1])
    expected = sum(
        np.abs(predicted[region, 4 * label : 4 * label + 4].double().numpy() - wanted[region].double().numpy()).sum()
        for region, label in enumerate(classes.tolist())
        if label
    )
    assert box_loss(predicted, classes, wanted).item() == pytest.approx(expected / 6, rel=1e-6)
    assert box_loss(predicted, torch.zeros(6, dtype=torch.int64), wanted).item() == 0


def test_proposals_are_learned_by_l1_over_the_number_of_samples_that_is_asked_for() -> None:
    """With fewer than the requested 256 anchors, all are samples, and both sums are divided by 256 per image."""
    generator = torch.Generator().manual_seed(0)
    labels = [torch.tensor([1.0, 0.0, -1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, -1.0])]
    logits, deltas, wanted = (torch.randn(8, size, generator=generator) for size in (1, 4, 4))
    found, weighted = (
        small(rpn_weight=weight).rpn.compute_loss(logits, deltas, labels, list(wanted.split(4))) for weight in (1, 0.2)
    )
    truth = torch.cat(labels).numpy()
    chance = 1 / (1 + np.exp(-logits.double().numpy()[:, 0]))
    likelihood = np.where(truth == 1, np.log(chance), np.log(1 - chance))[truth >= 0].sum()
    distance = np.abs(deltas.double().numpy() - wanted.double().numpy())[truth == 1].sum()
    assert [value.item() for value in found] == pytest.approx([-likelihood / 512, distance / 512], rel=1e-6)
    assert [value.item() for value in weighted] == pytest.approx([0.2 * value.item() for value in found], rel=1e-6)


def test_wanted_masks_are_those_of_polygons_drawn_in_the_box() -> None:
    """As detectron2 draws them with pycocotools (structures/masks.py): few of 196 cells differ, at the outline."""
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    outline = np.stack([50 + 30 * np.cos(turns), 60 + 20 * np.sin(turns)], axis=1)
    [whole] = coco_mask.frPyObjects([outline.flatten().tolist()], 100, 120)
    masks = torch.from_numpy(coco_mask.decode(whole))[None]
    boxes = torch.tensor([[18.3, 38.6, 83.1, 84.9], [40.0, 50.0, 90.0, 110.0]])
    found = mask_targets(masks, boxes, torch.tensor([0, 0]), 14)
    for (left, top, right, bottom), mask in zip(boxes.tolist(), found.numpy(), strict=True):
        within = 14 * (outline - [left, top]) / [right - left, bottom - top]
        drawn = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([within.flatten().tolist()], 14, 14)))
        assert set(np.unique(mask)) == {0, 1} and 0 < drawn.mean() < 1
        assert (mask != drawn).mean() < 0.03


def test_cells_of_a_pixel_hold_that_pixel() -> None:
    pixels = torch.from_numpy((np.random.default_rng(0).random((1, 30, 40)) > 0.5).astype(np.uint8))
    found = mask_targets(pixels, torch.tensor([[8.0, 5.0, 22.0, 19.0]]), torch.tensor([0]), 14)
    assert torch.equal(found, pixels[:, 5:19, 8:22].float())


def test_masks_are_learned_of_the_own_class() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, wanted = (
        torch.randn(3, 4, 2, 2, generator=generator),
        (torch.rand(3, 2, 2, generator=generator) > 0.5) * 1.0,
    )
    classes = torch.tensor([2, 1, 3])
    chance = 1 / (1 + np.exp(-logits.double().numpy()[range(3), classes]))
    likelihood = np.where(wanted.numpy() == 1, np.log(chance), np.log(1 - chance)).mean()
    assert mask_loss(logits, classes, wanted).item() == pytest.approx(-likelihood, rel=1e-6)
    none = mask_loss(logits[:0].requires_grad_(), classes[:0], wanted[:0])
    assert none.item() == 0 and none.requires_grad
