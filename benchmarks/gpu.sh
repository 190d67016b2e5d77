#!/usr/bin/env bash
# The engine on a CUDA machine: exactness, every backend on every shape, TRL where it is installed.
#     benchmarks/gpu.sh            # PYTHON=… chooses the interpreter
# Nothing is downloaded; under ten minutes. The table is kept in benchmarks/gpu.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-$([ -x .venv/bin/python ] && echo .venv/bin/python || command -v python3)}
export PYTHONPATH="src:.${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
"$python" -m benchmarks._gpu 2>&1 | tee benchmarks/gpu.txt
