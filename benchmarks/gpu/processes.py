"""Check that two processes that share a batch compute the gradients of one; on one device they use gloo, not nccl."""

import os
import socket
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import torch
from torch import Tensor

from benchmarks.gpu.agreement import gradient_error
from benchmarks.gpu.bench import CHECKED, TINY, Bench, Case
from benchmarks.gpu.learners import CLASSES, build, random_images, settings
from benchmarks.result import Section, Target
from mast.distributed import ALONE, World, join
from mast.evaluation.features import exact_float32

PROCESSES = 2
TOLERANCE = 1e-4
NAMES = ("VICReg", "MAST-15", "supervised")

Step = tuple[float, dict[str, Tensor]]


def measure(bench: Bench) -> Section:
    own_device = bench.on_gpu and torch.cuda.device_count() >= PROCESSES
    backend = "nccl" if own_device else "gloo"
    section = Section(
        "processes", f"{PROCESSES} processes through {backend} on one batch, relative differences to one."
    )
    case = bench.checked
    alone = {name: one_step(case, name, bench.device, ALONE) for name in NAMES}
    devices = [str(bench.device)] * PROCESSES if not own_device else [f"cuda:{rank}" for rank in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        shared = [bench.tiny, backend, _free_port()]
        steps = [pool.submit(one_of_two, rank, device, *shared) for rank, device in enumerate(devices)]
        together = [step.result(timeout=120) for step in steps]
    for name in NAMES:
        loss, gradients = alone[name]
        losses = [abs(found[name][0] / loss - 1) for found in together]
        errors = [gradient_error(gradients, found[name][1]) for found in together]
        section.targets += [
            Target(f"{name}: loss", max(losses), TOLERANCE, False, ""),
            Target(f"{name}: gradients", max(errors), TOLERANCE, False, ""),
        ]
    return section


def one_of_two(rank: int, device: str, tiny: bool, backend: str, port: int) -> dict[str, Step]:
    """In a separate process: do the step of every method on this process's half of the batch."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(PROCESSES)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with join(torch.device(device), backend) as world:
        return {name: one_step(TINY if tiny else CHECKED, name, torch.device(device), world) for name in NAMES}


def one_step(case: Case, name: str, device: torch.device, world: World) -> Step:
    """Return loss and gradients of the first step, in fp32 without TF32."""
    learner = build(settings(case, name, encoder={**case.encoder, "zero_init_residual": False}), case, device)
    learner.world = world
    world.prepare(learner)
    model = world.wrap(learner.train())
    rows = world.rows(case.batch // world.size)
    images = torch.from_numpy(random_images(case.batch, case.size)[rows]).permute(0, 3, 1, 2).to(device)
    labels = torch.stack([torch.arange(case.batch) % classes for classes in CLASSES], dim=1)[rows].to(device)
    with exact_float32():
        outcome = model(images, labels, learner.draw(case.batch, torch.Generator().manual_seed(1)))
        outcome.loss.backward()
    gradients = {name: p.grad.cpu() for name, p in learner.named_parameters() if p.grad is not None}
    return outcome.loss.item(), gradients


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
