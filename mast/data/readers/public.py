"""`public`: a public data set in its official layout, with the splits of its protocol."""

from pathlib import Path

import numpy as np
import torch
from torchvision.datasets.utils import check_integrity

from mast.config import PublicData
from mast.data.prepared.store import Writer
from mast.data.prepared.write_images import index_of, training_statistics, write_images
from mast.data.sources.archives import fetch
from mast.data.sources.catalogue import SOURCES
from mast.data.sources.source import Contents, Source
from mast.errors import MastError

TARGET = "class"
"""Name of the one target."""

_REDUCED = "or set verify: false for a reduced copy of your own"


def prepare_public(name: str, spec: PublicData, output: Path, threads: int = 1) -> None:
    """Fetch what is missing (only with `download: true`), check it, and write the prepared form.

    Raises:
        MastError: a file is missing, damaged or not the official one, or a split does not have its official size; one
            line that names it and says what to do.
    """
    source, root = SOURCES[spec.source], Path(spec.root)
    if spec.download:
        fetch(source, root)
    _check_files(source, root, spec.verify)
    contents = _read(source, root)
    _check_contents(source, root, contents, spec.verify)
    with Writer(output) as writer:
        for split, images in contents.splits.items():
            kept = write_images(writer, split, images.images, images.labels, spec, threads)
            if images.drawn is not None:
                writer.array(f"{split}_drawn.npy", images.drawn[kept])
            if split == "train":
                held_out = validation_positions(source, contents)
                writer.array("val_indices.npy", np.flatnonzero(np.isin(kept, held_out)))
        writer.finish(
            name,
            spec.model_dump(mode="json"),
            f"{source.title}, {source.homepage}",
            source.licence,
            {TARGET: contents.classes} if contents.classes else {},
            *training_statistics(writer, spec, threads),
            index_of(spec),
        )


def validation_positions(source: Source, contents: Contents) -> np.ndarray:
    """Positions in train that form the validation split, int64, ascending.

    Where they are drawn: the last of torch's permutation from the source's seed, as `torch.utils.data.random_split`
    draws them (AugSelf, transfer_linear_eval.py). Of a reduced copy the same share is held out.
    """
    if contents.validation is not None:
        return contents.validation
    count, (size, seed) = len(contents.splits["train"].images), source.validation
    share = max(1, round(size * count / source.counts["train"]))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).numpy()
    return np.sort(order[count - share :])


def _check_files(source: Source, root: Path, verify: bool) -> None:
    for file, md5 in source.files.items():
        path = root / file
        if not path.exists():
            fetching = "set download: true, or get it" if source.archives else "it cannot be downloaded freely; get it"
            raise MastError(
                f"{path}: missing; {source.title} needs {', '.join(source.files)} in {root}: "
                f"{fetching} from {source.homepage}"
            )
        if verify and md5 is not None and not check_integrity(str(path), md5):
            raise MastError(
                f"{path}: differs from the official file (MD5 {md5}); delete it and unpack again, {_REDUCED}"
            )


def _read(source: Source, root: Path) -> Contents:
    try:
        return source.read(root)
    except MastError:
        raise
    except Exception as error:  # pickle, scipy, json and torchvision each raise their own on a damaged file
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise MastError(f"{root}: not laid out as {source.title} ({reason}); unpack it again") from None


def _check_contents(source: Source, root: Path, contents: Contents, verify: bool) -> None:
    for split, images in contents.splits.items():
        if isinstance(images.images, list):
            missing = [file for file in images.images if not file.is_file()]
            if missing:
                raise MastError(
                    f"{missing[0]}: missing ({len(missing)} of the {len(images.images)} {split} images of "
                    f"{source.title} are); unpack its archive again"
                )
        official = source.counts[split]
        if verify and len(images.images) != official:
            raise MastError(
                f"{root}: {len(images.images)} {split} images, but {source.title} has {official}; "
                f"delete them and unpack again, {_REDUCED}"
            )
    if verify and len(contents.classes) != source.classes:
        raise MastError(
            f"{root}: {len(contents.classes)} classes, but {source.title} has {source.classes}; "
            f"unpack it again, {_REDUCED}"
        )
