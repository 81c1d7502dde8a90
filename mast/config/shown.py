"""What tables show of each kind of protocol, and what the report says of it."""

from typing import Any

from mast.config.evaluate import ProtocolSpec

CAPTIONS = {
    "detection": (
        "Detection transfer: the encoder becomes the backbone of torchvision's Faster R-CNN with FPN, or, where masks "
        "are scored too, of its Mask R-CNN. AP is COCO's mean over overlaps from 0.50 to 0.95; AP50 and AP75 are those "
        "at one overlap. The FPN detector deviates from the R50-C4 protocol of the published values."
    ),
    "few-shot": (
        "Few-shot evaluation: in each episode a logistic regression is fitted to a few labelled images of a few "
        "classes, on frozen features, and tested on other images of these classes. Mean over the episodes."
    ),
    "knn": "Nearest neighbours on frozen features: votes weighted by cosine similarity, nothing trained.",
    "linear-lbfgs": (
        "Linear evaluation: multinomial logistic regression by L-BFGS on frozen, unnormalised features. The strength "
        "of the regularisation is chosen on the validation images; the classifier is then fitted again on all training "
        "images and tested once."
    ),
    "linear-sgd": (
        "Linear evaluation: a linear head trained by SGD on random crops and flips of the images, the encoder frozen. "
        "Scored after the last epoch."
    ),
    "semi-1": (
        "Semi-supervised evaluation: encoder and head fine-tuned by SGD on 1 % of the labels. Scored after the last "
        "epoch."
    ),
    "semi-10": (
        "Semi-supervised evaluation: encoder and head fine-tuned by SGD on 10 % of the labels. Scored after the last "
        "epoch."
    ),
    "svm-voc": (
        "Multi-label evaluation: a linear SVM for each class on frozen, normalised features, its C chosen by "
        "cross-validation. Mean average precision."
    ),
}
"""Kind → the caption of its tables in the report."""


def table_facts(protocol: ProtocolSpec) -> dict[str, Any]:
    """The fields of a TableSpec that follow from the protocol."""
    if protocol.kind == "svm-voc":
        return {"shown": ("mAP",)}
    if protocol.kind != "detection":
        return {}
    model = "Mask R-CNN" if protocol.masks else "Faster R-CNN"
    encoder = {"frozen": ", on a frozen encoder", "finetuned": ", the encoder fine-tuned"}[protocol.backbone]
    note = (
        f"The detector is torchvision's {model} with FPN{encoder}: a deviation from the R50-C4 protocol (detectron2) "
        "of published values."
    )
    return {"shown": ("AP", "AP50", "AP75"), "averaged": False, "unit": "Average precision", "note": note}
