#!/usr/bin/env bash
# Every benchmark at full size on one GPU, in order of worth; when one fails or runs out of time, the next goes on.
#   benchmarks/gpu.sh RESULTS MODEL DATA
# RESULTS  folder that receives one JSON file a benchmark, and logs
# MODEL    folder of Qwen2.5-Coder-0.5B-Instruct
# DATA     folder with GSM8K as train.parquet and test.parquet, columns as in experiments/local.yaml
# Run it from the root of the repository, with a Python that has torch, transformers, vLLM, TRL and what
# benchmarks/requirements-gpu.txt lists. PYTHON names another interpreter; LIMIT is the time limit of each, in seconds;
# OVERLAY is one more overlay, such as benchmarks/tiny.yaml to try the script on a CPU.
set -uo pipefail
results=$(realpath -m "${1:?a folder for the results}") model=$(realpath "${2:?the folder of the model}") data=$(realpath "${3:?the folder of the data}")
python=${PYTHON:-python3} limit=${LIMIT:-540} failed=0
export TMPDIR=$results/tmp
mkdir -p "$TMPDIR"
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
export VLLM_USE_FLASHINFER_SAMPLER=${VLLM_USE_FLASHINFER_SAMPLER:-0}

cat > "$results/overlay.yaml" <<YAML
models: {qwen2.5-coder-0.5b: {source: "$model"}}
problems: {gsm8k-train: {source: "$data"}, gsm8k-test: {source: "$data"}}
YAML
# vLLM takes the share of the memory that it is given. 0.3 is what TRL gives it: else the peaks of an iteration could not be compared.
cat > "$results/iteration.yaml" <<YAML
engine: {gpu_memory_utilization: 0.3}
resources: {generate: {engines_per_gpu: 1}}
YAML
# One point of eight iterations: where the time of a run goes.
cat > "$results/orchestration.yaml" <<YAML
sweep: [{models: [qwen2.5-coder-0.5b], recipes: [opsft], budgets: [usual], seeds: [0], benchmarks: [gsm8k]}]
engine: {name: vllm}
YAML
config=(--configfile experiments/gsm8k-0.5b.yaml ${OVERLAY:-} experiments/local.yaml "$results/overlay.yaml")

declare -A own=([iteration]=$results/iteration.yaml [orchestration]=$results/orchestration.yaml [against_grpo]=benchmarks/against-grpo-h100.yaml)

measure() { # NAME BENCHMARK [OPTION ...]
  local name=$1 benchmark=$2 status
  local output=$results/$benchmark-$name.json log=$results/$benchmark-$name.log
  shift 2
  echo "== $benchmark $name: $(date -u +%T)"
  timeout --kill-after=20 "$limit" "$python" -m "benchmarks.$benchmark" "${config[@]}" ${own[$benchmark]:-} --output "$output" --label "$name" "$@" > "$log" 2>&1
  status=$?
  if [ $status -ne 0 ]; then
    # What a contender printed before it was killed lies in its temporary folder.
    find "$TMPDIR" -name log -exec cat {} + >> "$log"
    echo "ended with status $status (124: out of time):"
    tail -n 20 "$log"
    failed=1
  fi
  rm -rf "${TMPDIR:?}"/*
}

measure gpu-engines sampling --engines transformers vllm vllm:4
measure gpu-eight-iterations orchestration --points 0 --cores "$(nproc)"
measure gpu-transformers iteration --engine transformers --betas 0 0.04
measure gpu-sft sft
measure gpu-vllm iteration --engine vllm --betas 0 --trl-vllm
measure gpu-sft-checkpointing sft --gradient-checkpointing
# Goes on where its time limit has ended it before.
measure h100 against_grpo --budget usual --iterations 8 --every 2 --betas 0 0.04 --seeds 0 1 2 --trl-vllm --microbatch-tokens 8192 --figure "$results/against_grpo-h100"
echo "== done: $(date -u +%T); to put them in the table: cp $results/*.json benchmarks/results/ && python -m benchmarks.table"
exit "$failed"
