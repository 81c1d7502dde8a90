"""The model that is pretrained: the encoder and the networks of a method."""

import os
import shutil
from importlib.util import find_spec
from typing import Any

import torch
from torch import Generator, Tensor, nn

from mast.augment.policy import Policy
from mast.augment.views import Drawn, View, Views
from mast.distributed import World
from mast.errors import MastError
from mast.models.encoder import build_encoder, normalise
from mast.models.precision import autocast


class Learner(nn.Module):
    """The encoder as `encoder`, a method's networks under their own names, the policy, and what all methods share."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, method: Any, image_size: int, mean: list[float], std: list[float], classes: list[int], world: World
    ) -> None:
        """Build the encoder first, so that one seed gives every method the same initial encoder.

        Args:
            method: a `mast.methods.Method` with the settings of its run.
            image_size: side of the images, pixels.
            mean: mean of the training images per channel, in [0, 1].
            std: standard deviation of the training images per channel.
            classes: number of classes of each target.
            world: the processes of the training run.
        """
        super().__init__()
        self.method, self.spec, self.world = method, method.spec, world
        self.encoder = build_encoder(self.spec.encoder)
        self.policy = Policy(self.spec.policy, image_size) if self.spec.policy is not None else None
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        for name, network in method.networks(self.encoder.num_features, classes).items():
            self.add_module(name, network)

    def forward(self, images: Tensor, labels: Tensor | None, drawn: Drawn) -> Any:
        """Return the method's outcome for one batch; see `mast.methods.Method.loss`.

        Args:
            images: uint8 [N, 3, S, S], or [V, N, 3, S, S] if already cropped for each of the V views.
            labels: int64 [N, T], or None.
            drawn: result of `draw` for the images of all processes.
        """
        return self.method.loss(self, Views.of(images, drawn), labels)

    def heads(self) -> dict[str, nn.Module]:
        """Return the networks other than the encoder."""
        return {name: network for name, network in self.named_children() if name != "encoder"}

    def draw(self, count: int, generator: Generator, sizes: Tensor | None = None) -> Drawn:
        """Draw how each of `count` images, those of all processes, is augmented in each view of the method.

        Args:
            count: number of images.
            generator: random generator on the CPU.
            sizes: int64 [count, 2], width and height in pixels of images that are cropped from their original size.
        """
        policy = self.policy if sizes is None else self.policy.in_place(sizes)
        return self.method.draw(policy, count, generator)

    def view(self, view: View) -> Tensor:
        """Return the augmented, normalised images of one view, float32 [N, 3, S, S], of this process."""
        augmented = view.augmented(self.policy, self.world.rows(len(view.images)))
        return normalise(augmented, self.mean, self.std).contiguous(memory_format=torch.channels_last)

    def embed(self, view: View) -> tuple[Tensor, Tensor]:
        """Return features [N, D] and embeddings [N, d] of one view of this process's images."""
        images = self.view(view)
        with self.autocast():
            features = self.encoder(images)
            return features, self.projector(features)

    def autocast(self) -> torch.autocast:
        """Return the context in which networks compute, in the run's precision; the loss is computed outside it."""
        return autocast(self.spec.precision, self.mean.device)

    def compile_networks(self) -> None:
        """Let torch compile the encoder, and the projector if there is one. The names of the weights do not change.

        Raises:
            MastError: there is no compiler for this device.
        """
        if (missing := missing_compiler(self.mean.device.type)) is not None:
            raise MastError(f"compile: {missing}; install it, or set compile: false")
        self.encoder.compile()
        if hasattr(self, "projector"):
            self.projector.compile()


def missing_compiler(device: str) -> str | None:
    """Return a description of the compiler that torch.compile lacks for a device, or None if nothing is missing.

    On a CPU C++ is compiled (torch/_inductor/cpp_builder.py); on a GPU Triton, which compiles its launchers in C
    (triton/runtime/build.py).
    """
    if device == "cpu":
        compiler = os.environ.get("CXX", "g++")
        return None if shutil.which(compiler) else f"there is no C++ compiler {compiler!r} here"
    if find_spec("triton") is None:
        return "there is no package triton here"
    compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
    return None if any(map(shutil.which, compilers)) else f"there is no C compiler {compilers[0]!r} here"
