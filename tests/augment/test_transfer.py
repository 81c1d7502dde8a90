"""Tensors drawn on the CPU arrive unchanged, in one copy for each type of number."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from mast.augment.transfer import packed_by_type, send

TYPES = (torch.float32, torch.int64, torch.bool)

tensors = st.lists(
    st.builds(
        lambda kind, shape: torch.arange(torch.Size(shape).numel()).remainder(7).to(kind).view(shape),
        st.sampled_from(TYPES),
        st.lists(st.integers(0, 3), min_size=0, max_size=3),
    ),
    max_size=6,
)


@given(tensors)
def test_every_tensor_arrives_as_it_was(sent: list[torch.Tensor]) -> None:
    copies: list[torch.Tensor] = []
    arrived = packed_by_type(sent, lambda packed: copies.append(packed) or packed.clone())
    assert len(copies) == len({tensor.dtype for tensor in sent})
    assert len(arrived) == len(sent)
    for tensor, copy in zip(sent, arrived, strict=True):
        assert copy.dtype == tensor.dtype and copy.shape == tensor.shape and torch.equal(copy, tensor)


def test_tensors_reach_another_device_and_stay_themselves_on_the_cpu() -> None:
    values = [torch.ones(2, 3), torch.arange(4)]
    assert [tensor.device.type for tensor in send(values, torch.device("meta"))] == ["meta", "meta"]
    assert all(a is b for a, b in zip(send(values, torch.device("cpu")), values, strict=True))
