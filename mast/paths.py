"""Where each artefact lies (docs/design.md, "Artefacts"): what the workflow's rules and `mast --config` share.

The patterns are relative to the results directory; `dataset` is the one of pretraining, `task` the one at hand.
"""

DATA = "data/{task}"
RUN = "pretrain/{dataset}/{run}/seed{seed}"
ENCODER = f"{RUN}/encoder.safetensors"
CURVES = f"{RUN}/metrics.jsonl"
FEATURES = "features/{dataset}/{run}/seed{seed}/{task}.npz"
METRICS = "metrics/{protocol}/{task}/{dataset}/{run}/seed{seed}.json"
PREDICTIONS = METRICS.removesuffix(".json") + ".predictions.json"
EXPORT = "export/{dataset}/{run}/seed{seed}"
