"""Overlaps and sizes of subspaces agree with explicit loops and with masks counted by hand."""

import numpy as np
import pytest
import torch

from mast.analysis.masks import mask_overlap, mask_weights, subspace_dimensions


def test_overlap_by_hand() -> None:
    masks = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    table = mask_overlap(masks, ["crop", "flip", "blur"]).set_index(["first", "second"])[["cosine", "soft_iou"]]
    assert table.loc["crop", "flip"].tolist() == pytest.approx([0.5, 1 / 3])  # one shared of three used
    assert table.loc["crop", "blur"].tolist() == [0, 0]
    assert table.loc["flip", "flip"].tolist() == pytest.approx([1, 1])
    assert len(table) == 9


def test_overlap_agrees_with_loops_and_is_symmetric() -> None:
    masks = torch.rand(4, 33, generator=torch.Generator().manual_seed(0))
    names = list("abcd")
    table = mask_overlap(masks, names).set_index(["first", "second"])[["cosine", "soft_iou"]]
    values = masks.double().numpy()
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            cosine = values[i] @ values[j] / np.sqrt((values[i] ** 2).sum() * (values[j] ** 2).sum())
            shared = sum(min(a, b) for a, b in zip(values[i], values[j], strict=True))
            either = sum(max(a, b) for a, b in zip(values[i], values[j], strict=True))
            assert table.loc[first, second].tolist() == pytest.approx([cosine, shared / either], rel=1e-12)
            assert table.loc[first, second].tolist() == pytest.approx(table.loc[second, first].tolist())


def test_empty_mask_overlaps_nothing() -> None:
    table = mask_overlap(torch.zeros(2, 5), ["a", "b"])
    assert (table[["cosine", "soft_iou", "cosine_chance", "soft_iou_chance"]] == 0).all(axis=None)


def test_weights_are_tidy() -> None:
    masks = torch.tensor([[0.0, 0.25], [0.5, 1.0]])
    assert mask_weights(masks, ["crop", "flip"]).to_numpy().tolist() == [
        ["crop", 0, 0.0],
        ["crop", 1, 0.25],
        ["flip", 0, 0.5],
        ["flip", 1, 1.0],
    ]


def test_dimensions_of_binary_masks_are_counted() -> None:
    #                       all  a   b   c  ab  ab  bc
    masks = torch.tensor([[1.0, 1, 0, 0, 1, 1, 0], [1, 0, 1, 0, 1, 1, 1], [1, 0, 0, 1, 0, 0, 1]])
    table = subspace_dimensions(masks, ["a", "b", "c"])
    assert table.iloc[:, :6].to_numpy().tolist() == [
        ["a", 4, 1, 2, 1, 1],  # bc is closed in a alone
        ["b", 5, 1, 3, 1, 0],
        ["c", 3, 1, 1, 1, 2],
    ]
    # Dealt at random, a dimension is open in a, b, c with probability 4/7, 5/7, 3/7.
    expected = [60 / 49, 4 - 60 / 49 - 32 / 49, 32 / 49, 45 / 49]
    assert table.iloc[0, 6:].tolist() == pytest.approx(expected)


def test_parts_of_soft_masks_add_up() -> None:
    masks = torch.rand(4, 50, generator=torch.Generator().manual_seed(1))
    table = subspace_dimensions(masks, list("abcd"))
    assert table["size"].to_numpy() == pytest.approx(masks.double().sum(dim=1).numpy())
    assert table[["common", "partly", "unique"]].sum(axis=1).to_numpy() == pytest.approx(table["size"].to_numpy())
    assert table["common"].nunique() == 1


def test_a_single_mask_shares_nothing() -> None:
    assert subspace_dimensions(torch.tensor([[1.0, 0.5]]), ["crop"]).to_numpy().tolist() == [
        ["crop", 1.5, *[0, 0, 1.5, 0] * 2]
    ]


def test_chance_is_the_mean_over_masks_dealt_at_random() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 40, generator=generator).square()
    names = list("abc")
    dealt = [torch.stack([mask[torch.randperm(40, generator=generator)] for mask in masks]) for _ in range(400)]
    parts = ["common", "partly", "unique", "closed_alone"]
    expected = np.mean([subspace_dimensions(each, names)[parts].to_numpy(float) for each in dealt], axis=0)
    found = subspace_dimensions(masks, names)[[f"{part}_chance" for part in parts]].to_numpy(float)
    assert found == pytest.approx(expected, abs=0.25)
    measures = ["cosine", "soft_iou"]
    expected = np.mean([mask_overlap(each, names)[measures].to_numpy(float) for each in dealt], axis=0)
    found = mask_overlap(masks, names)[[f"{measure}_chance" for measure in measures]].to_numpy(float)
    assert found == pytest.approx(expected, abs=0.01)


def test_chance_of_masks_of_zeros_and_ones_is_that_of_their_budget() -> None:
    masks = torch.zeros(5, 256)
    for row in masks:
        row[torch.randperm(256, generator=torch.Generator().manual_seed(1))[:205]] = 1
    share = 205 / 256
    table = subspace_dimensions(masks, list("abcde"))
    assert table["common_chance"].tolist() == pytest.approx([256 * share**5] * 5)
    assert table["unique_chance"].tolist() == pytest.approx([256 * share * (1 - share) ** 4] * 5)
    overlap = mask_overlap(masks, list("abcde")).set_index(["first", "second"])
    assert overlap.loc[("a", "b"), "soft_iou_chance"] == pytest.approx(share**2 / (2 * share - share**2))
    assert overlap.loc[("a", "b"), "cosine_chance"] == pytest.approx(share)
    assert (overlap.loc[("a", "a"), ["soft_iou_chance", "cosine_chance"]] == 1).all()
