"""MAST as a LightningModule, trained on random images to show that it runs.

    pip install pytorch-lightning
    python examples/lightning_module.py --epochs 2

Copy the class to your project and give it your own DataLoader with batches of uint8 images [N, 3, S, S].
"""

import argparse

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.models import resnet18

import mast


class Mast(pl.LightningModule):
    """ResNet-18, a projector and MAST's loss; views are augmented on the device, in batches."""

    def __init__(self, image_size: int, augmentations: str = "mast5", lr: float = 1e-3, dimensions: int = 512) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = resnet18()
        width, self.encoder.fc = self.encoder.fc.in_features, nn.Identity()
        self.projector = nn.Sequential(
            nn.Linear(width, 1024), nn.BatchNorm1d(1024), nn.ReLU(inplace=True), nn.Linear(1024, dimensions, bias=False)
        )
        self.pairs = mast.PairedAugmentation(image_size, augmentations)
        self.loss = mast.MastLoss(len(self.pairs.names), dimensions, width, uncertainty={"kind": "isotropic"})

    def training_step(self, images: Tensor, index: int) -> Tensor:
        a, b, active = self.pairs(images)
        features_a, features_b = self.encoder(a), self.encoder(b)
        z_a, z_b = self.projector(features_a), self.projector(features_b)
        terms = self.loss.terms(z_a, z_b, active, features_a, features_b)
        self.log_dict(terms)
        return self.loss.total(terms)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        networks = [*self.encoder.parameters(), *self.projector.parameters()]
        groups = [{"params": networks}, *self.loss.parameter_groups(self.hparams.lr)]
        return torch.optim.AdamW(groups, lr=self.hparams.lr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    chosen = parser.parse_args()
    pl.seed_everything(0)
    images = torch.randint(0, 256, (chosen.images, 3, chosen.size, chosen.size), dtype=torch.uint8)
    trainer = pl.Trainer(max_epochs=chosen.epochs, logger=False, enable_checkpointing=False, log_every_n_steps=1)
    trainer.fit(Mast(chosen.size), DataLoader(images, batch_size=16, shuffle=True, drop_last=True))
    print({name: round(float(value), 3) for name, value in trainer.callback_metrics.items()})


if __name__ == "__main__":
    main()
