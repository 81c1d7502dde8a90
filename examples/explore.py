# %% [markdown]
# # Read the results of an experiment with pandas
#
# Run it as a program, or open it as a notebook (Jupyter with jupytext, VS Code, PyCharm):
#
#     python examples/explore.py results
#
# All files that it reads are described in docs/use/formats.md.

# %%
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

RESULTS = Path(sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else "results")

# %% [markdown]
# ## Every metric of every run
# A metrics file holds one encoder on one task under one protocol. Here each of its numbers becomes a row.

# %%
rows = []
for file in sorted((RESULTS / "metrics").rglob("seed*.json")):
    record = json.loads(file.read_text(encoding="utf-8"))
    if "metrics" not in record:  # predictions of a detector
        continue
    keys = {key: record[key] for key in ("protocol", "task", "dataset", "run", "seed")}
    for target, values in record["metrics"].items():
        rows += [{**keys, "target": target, "metric": metric, "value": value} for metric, value in values.items()]
metrics = pd.DataFrame(rows)
if metrics.empty:
    sys.exit(f"{RESULTS}: no metrics in it; give the folder of an experiment's results")
print(f"{len(metrics)} numbers of {metrics.groupby(['run', 'seed']).ngroups} encoders")

# %% [markdown]
# ## Mean over seeds
# The pipeline's own tables add intervals (`tables/*.csv`).

# %%
protocol = "linear" if "linear" in set(metrics.protocol) else metrics.protocol.iloc[0]
first = metrics[metrics.protocol == protocol].metric.iloc[0]
chosen = metrics.query("protocol == @protocol and metric == @first")
print(f"\n{protocol}, {first}, mean over seeds")
print(chosen.pivot_table(index="run", columns=["task", "target"], values="value", aggfunc="mean").round(1).to_string())

# %% [markdown]
# ## Paired differences
# Runs with the same seed start from the same weights, so that they are compared seed by seed.

# %%
by_seed = chosen.pivot_table(index=["task", "target", "seed"], columns="run", values="value")
baseline = "vicreg" if "vicreg" in by_seed else by_seed.columns[0]
difference = by_seed.sub(by_seed[baseline], axis=0).drop(columns=baseline)
print(f"\nDifference to {baseline}: mean over seeds")
print(difference.groupby(["task", "target"]).mean().round(1).to_string())

# %% [markdown]
# ## How the losses went

# %%
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for file in sorted((RESULTS / "pretrain").rglob("seed0/metrics.jsonl")):
    log = pd.read_json(file, lines=True)
    if log.empty:  # an untrained encoder
        continue
    axes.plot(log["epoch"], log["loss"], label=file.parts[-3])
axes.set(xlabel="epoch", ylabel="loss", yscale="log")
axes.legend(fontsize="small")
figure.savefig("losses.png", dpi=150)
print("\nlosses.png: the loss of every run's first seed")
