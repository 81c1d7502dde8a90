"""All public datasets: official sizes, checksums, addresses, splits of the protocols (docs/use/public-datasets.md).

Addresses and MD5s are those of torchvision 0.29 if it has the dataset. Sizes and seeds of validation splits are
AugSelf's (datasets.py) for STL-10, CIFAR, Food-101, MIT-67 and Pets, its lists of positions for SUN397 and Caltech-101;
the seed 0 is ours.
Sizes of archives are those that tensorflow/datasets lists with its checksums, and the publishers' for MIT-67,
Places205 and iNaturalist; ImageNet-100's is its share of ImageNet's.
"""

from torchvision.datasets import CIFAR10, CIFAR100, STL10

from mast.data.sources import arrays, files, lists
from mast.data.sources.augself import split_list
from mast.data.sources.source import Archive, Source

_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data"
_INATURALIST = "https://ml-inat-competition-datasets.s3.amazonaws.com/2018"
_STL10 = Archive(STL10.url, STL10.tgz_md5, STL10.base_folder)
_SUN397_LIST = split_list("sun397", "2a09414d75f8a6a8d66e0535997cfa76")
_CALTECH_LIST = split_list("caltech101", "4cbdd41a5f2d1428a42924a6401127db")
_RESEARCH = "non-commercial research only; see the homepage"

SOURCES: dict[str, Source] = {
    "stl10": Source(
        title="STL-10",
        homepage="https://cs.stanford.edu/~acoates/stl10",
        read=arrays.read_stl10,
        files=arrays.checksums(STL10),
        counts={"train": 5000, "test": 8000},
        classes=10,
        gigabytes=2.6,
        validation=(500, 50),
        archives=(_STL10,),
    ),
    "stl10-unlabeled": Source(
        title="STL-10 train+unlabeled",
        homepage="https://cs.stanford.edu/~acoates/stl10",
        read=arrays.read_stl10_unlabeled,
        files=arrays.checksums(STL10),
        counts={"train": 105_000},
        classes=0,
        gigabytes=2.6,
        validation=(1000, 0),
        archives=(_STL10,),
    ),
    "cifar10": Source(
        title="CIFAR-10",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        read=arrays.read_cifar10,
        files=arrays.checksums(CIFAR10),
        counts={"train": 50_000, "test": 10_000},
        classes=10,
        gigabytes=0.17,
        validation=(5000, 43),
        archives=(Archive(CIFAR10.url, CIFAR10.tgz_md5, CIFAR10.base_folder),),
    ),
    "cifar100": Source(
        title="CIFAR-100",
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        read=arrays.read_cifar100,
        files=arrays.checksums(CIFAR100),
        counts={"train": 50_000, "test": 10_000},
        classes=100,
        gigabytes=0.17,
        validation=(5000, 44),
        archives=(Archive(CIFAR100.url, CIFAR100.tgz_md5, CIFAR100.base_folder),),
    ),
    "food101": Source(
        title="Food-101",
        homepage="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101",
        read=files.read_food101,
        files=dict.fromkeys(("food-101/meta/train.json", "food-101/meta/test.json", "food-101/images")),
        counts={"train": 75_750, "test": 25_250},
        classes=101,
        gigabytes=5.0,
        validation=(7575, 42),
        archives=(
            Archive(
                "http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz", "85eeb15f3717b99a5da872d97d918f87", "food-101"
            ),
        ),
    ),
    "flowers102": Source(
        title="Flowers-102",
        homepage=f"{_OXFORD}/flowers/102",
        read=files.read_flowers102,
        files={
            "flowers-102/imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
            "flowers-102/setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
            "flowers-102/jpg": None,
        },
        counts={"train": 2040, "test": 6149},
        classes=102,
        gigabytes=0.35,
        archives=(
            Archive(f"{_OXFORD}/flowers/102/102flowers.tgz", "52808999861908f626f3c1f4e79d11fa", "flowers-102/jpg"),
            Archive(
                f"{_OXFORD}/flowers/102/imagelabels.mat",
                "e0620be6f572b9609742df49c70aed4d",
                "flowers-102/imagelabels.mat",
            ),
            Archive(f"{_OXFORD}/flowers/102/setid.mat", "a5357ecc9cb78c4bef273ce3793fc85c", "flowers-102/setid.mat"),
        ),
    ),
    "pets": Source(
        title="Oxford-IIIT Pet",
        homepage=f"{_OXFORD}/pets",
        read=lists.read_pets,
        files=dict.fromkeys(
            f"oxford-iiit-pet/{file}" for file in ("annotations/trainval.txt", "annotations/test.txt", "images")
        ),
        counts={"train": 3680, "test": 3669},
        classes=37,
        gigabytes=0.81,
        validation=(740, 49),
        archives=(
            Archive(f"{_OXFORD}/pets/data/images.tar.gz", "5c4f3ee8e5d25df40f4fd59a7f44e54c", "oxford-iiit-pet/images"),
            Archive(
                f"{_OXFORD}/pets/data/annotations.tar.gz",
                "95a8c909bbe2e81eed6a22bccdf3f68f",
                "oxford-iiit-pet/annotations",
            ),
        ),
        licence="CC BY-SA 4.0",
    ),
    "dtd": Source(
        title="DTD",
        homepage=f"{_OXFORD}/dtd",
        read=files.read_dtd,
        files=dict.fromkeys(
            f"dtd/dtd/{file}" for file in ("labels/train1.txt", "labels/val1.txt", "labels/test1.txt", "images")
        ),
        counts={"train": 3760, "test": 1880},
        classes=47,
        gigabytes=0.63,
        archives=(Archive(f"{_OXFORD}/dtd/download/dtd-r1.0.1.tar.gz", "fff73e5086ae6bdbea199a49dfb8a4c1", "dtd/dtd"),),
        licence=_RESEARCH,
    ),
    "aircraft": Source(
        title="FGVC-Aircraft 2013b",
        homepage=f"{_OXFORD}/fgvc-aircraft",
        read=files.read_aircraft,
        files=dict.fromkeys(
            f"fgvc-aircraft-2013b/data/{file}"
            for file in (
                "variants.txt",
                "images_variant_train.txt",
                "images_variant_val.txt",
                "images_variant_test.txt",
                "images",
            )
        ),
        counts={"train": 6667, "test": 3333},
        classes=100,
        gigabytes=2.8,
        archives=(
            Archive(f"{_OXFORD}/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz", None, "fgvc-aircraft-2013b"),
        ),
        licence=_RESEARCH,
    ),
    "cars": Source(
        title="Stanford Cars",
        homepage="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (or a copy of it)",
        read=files.read_cars,
        files=dict.fromkeys(
            f"stanford_cars/{file}"
            for file in (
                "devkit/cars_train_annos.mat",
                "devkit/cars_meta.mat",
                "cars_test_annos_withlabels.mat",
                "cars_train",
                "cars_test",
            )
        ),
        counts={"train": 8144, "test": 8041},
        classes=196,
        gigabytes=2.0,
        validation=(1629, 0),
        licence=_RESEARCH,
    ),
    "caltech101": Source(
        title="Caltech-101",
        homepage="https://data.caltech.edu/records/mzrjq-6wc02",
        read=files.read_caltech101,
        files={"caltech101/101_ObjectCategories": None, files.CALTECH_LIST: _CALTECH_LIST.md5},
        counts={"train": 3030, "test": 5647},
        classes=101,
        gigabytes=0.13,
        archives=(
            Archive(
                "https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip",
                "3138e1922a9193bfa496528edbbc45d0",
                "caltech101/101_ObjectCategories",
                inner="caltech-101/101_ObjectCategories.tar.gz",
            ),
            _CALTECH_LIST,
        ),
        licence="CC BY 4.0",
    ),
    "sun397": Source(
        title="SUN397",
        homepage="https://vision.princeton.edu/projects/2010/SUN",
        read=lists.read_sun397,
        files=dict.fromkeys(f"SUN397/{file}" for file in ("ClassName.txt", "Training_01.txt", "Testing_01.txt", "a"))
        | {lists.SUN397_LIST: _SUN397_LIST.md5},
        counts={"train": 19_850, "test": 19_850},
        classes=397,
        gigabytes=39.1,
        validation=(3970, 0),
        archives=(
            Archive(
                "http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz",
                "8ca2778205c41d23104230ba66911c7a",
                "SUN397",
            ),
            Archive(
                "https://vision.princeton.edu/projects/2010/SUN/download/Partitions.zip", None, "SUN397/Training_01.txt"
            ),
            _SUN397_LIST,
        ),
    ),
    "mit67": Source(
        title="MIT-67 indoor scenes",
        homepage="https://web.mit.edu/torralba/www/indoor.html",
        read=lists.read_mit67,
        files=dict.fromkeys(("mit67/TrainImages.txt", "mit67/TestImages.txt", "mit67/Images")),
        counts={"train": 5360, "test": 1340},
        classes=67,
        gigabytes=2.4,
        validation=(670, 51),
        archives=(
            Archive("http://groups.csail.mit.edu/vision/LabelMe/NewImages/indoorCVPR_09.tar", None, "mit67/Images"),
            Archive("https://web.mit.edu/torralba/www/TrainImages.txt", None, "mit67/TrainImages.txt"),
            Archive("https://web.mit.edu/torralba/www/TestImages.txt", None, "mit67/TestImages.txt"),
        ),
    ),
    "imagenet": Source(
        title="ImageNet-1k (ILSVRC 2012)",
        homepage="https://image-net.org/download.php",
        read=lists.read_imagenet,
        files=dict.fromkeys(("train", "val")),
        counts={"train": 1_281_167, "test": 50_000},
        classes=1000,
        gigabytes=154.6,
        validation=(10_000, 0),
        licence=_RESEARCH,
    ),
    "imagenet100": Source(
        title="ImageNet-100",
        homepage="https://image-net.org/download.php (class folders listed in HobbitLong/CMC)",
        read=lists.read_imagenet,
        files=dict.fromkeys(("train", "val")),
        counts={"train": 126_689, "test": 5000},
        classes=100,
        gigabytes=15.3,
        validation=(5000, 0),
        licence=_RESEARCH,
    ),
    "places205": Source(
        title="Places205",
        homepage="http://places.csail.mit.edu/downloadData.html",
        read=lists.read_places205,
        files=dict.fromkeys(("train_places205.csv", "val_places205.csv", "images256")),
        counts={"train": 2_448_873, "test": 20_500},
        classes=205,
        gigabytes=132,
        validation=(20_000, 0),
        licence=_RESEARCH,
    ),
    "inaturalist2018": Source(
        title="iNaturalist 2018",
        homepage="https://github.com/visipedia/inat_comp/tree/master/2018",
        read=lists.read_inaturalist2018,
        files=dict.fromkeys(("train2018.json", "val2018.json", "train_val2018")),
        counts={"train": 437_513, "test": 24_426},
        classes=8142,
        gigabytes=120,
        validation=(20_000, 0),
        archives=(
            Archive(f"{_INATURALIST}/train_val2018.tar.gz", "b1c6952ce38f31868cc50ea72d066cc3", "train_val2018"),
            Archive(f"{_INATURALIST}/train2018.json.tar.gz", "bfa29d89d629cbf04d826a720c0a68b0", "train2018.json"),
            Archive(f"{_INATURALIST}/val2018.json.tar.gz", "f2ed8bfe3e9901cdefceb4e53cd3775d", "val2018.json"),
        ),
        licence=_RESEARCH,
    ),
}
"""Name in the configuration → source."""
