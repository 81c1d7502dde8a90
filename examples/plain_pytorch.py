"""MAST on a folder of images in a plain PyTorch loop.

    python examples/plain_pytorch.py path/to/images --epochs 100

The folder contains one folder per class, as torchvision's ImageFolder needs it; the classes are not used.
"""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.models import resnet18
from torchvision.transforms import v2

import mast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--size", type=int, default=96, help="side of the images, pixels")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--output", default="encoder.pt")
    chosen = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)

    to_bytes = v2.Compose([v2.PILToTensor(), v2.Resize(chosen.size), v2.CenterCrop(chosen.size)])
    images = ImageFolder(chosen.folder, transform=to_bytes)
    loader = DataLoader(images, chosen.batch_size, shuffle=True, drop_last=True, num_workers=chosen.workers)
    if not len(loader):
        parser.error(f"{chosen.folder}: {len(images)} images; a batch has {chosen.batch_size} (--batch-size)")

    encoder = resnet18()
    width, encoder.fc = encoder.fc.in_features, nn.Identity()
    projector = nn.Sequential(
        *(nn.Linear(width, 1024), nn.BatchNorm1d(1024), nn.ReLU(inplace=True)),
        *(nn.Linear(1024, 1024), nn.BatchNorm1d(1024), nn.ReLU(inplace=True)),
        nn.Linear(1024, 512, bias=False),
    )
    pairs = mast.PairedAugmentation(chosen.size, "mast5")
    loss = mast.MastLoss(len(pairs.names), dimensions=512)
    for part in (encoder, projector, loss):
        part.to(device)

    lr = 1e-3
    networks = [*encoder.parameters(), *projector.parameters()]
    optimizer = torch.optim.AdamW([{"params": networks}, *loss.parameter_groups(lr)], lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=chosen.epochs * len(loader)
    )
    for epoch in range(chosen.epochs):
        for batch, _ in loader:  # the classes are not used
            a, b, active = pairs(batch.to(device))
            value = loss(projector(encoder(a)), projector(encoder(b)), active)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
        open_share = loss.masks().mean(dim=1).tolist()
        masks = ", ".join(f"{name} {share:.2f}" for name, share in zip(pairs.names, open_share, strict=True))
        print(f"epoch {epoch + 1}: loss {value.item():.2f}; mean of each mask: {masks}")

    torch.save(encoder.state_dict(), chosen.output)


if __name__ == "__main__":
    main()
