#!/bin/sh
# Download what `python -m benchmarks.gpu` needs and a machine with PyTorch usually lacks, for one without a package index:
#
#   benchmarks/wheels.sh 3.12 wheels
#
# and there:
#
#   python -m pip install --no-index --no-deps wheels/*.whl
#
# Wheels for Linux on x86_64 (glibc 2.28 or later). Torch, torchvision, timm, numpy, scipy, scikit-learn, pandas, matplotlib,
# pillow, safetensors and tqdm have to be there.
set -eu
if [ $# -ne 2 ]; then
    echo "usage: $0 PYTHON_VERSION DIR   (e.g. $0 3.12 wheels)" >&2
    exit 2
fi
root=$(cd "$(dirname "$0")/.." && pwd)
pinned() { grep -E "^$1==" "$root/requirements.lock" | head -n 1 | cut -d ' ' -f 1; }

set -- "$1" "$2" $(for package in pydantic pydantic_core annotated-types typing-inspection typing_extensions pycocotools \
    cloudpickle submitit; do
    pinned "$package"
done) lightly==1.6.0 lightly-utils lightning-utilities
version=$1 folder=$2
shift 2
python3 -m pip --disable-pip-version-check download --no-deps --only-binary :all: --quiet \
    --python-version "$version" --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$folder" "$@"
