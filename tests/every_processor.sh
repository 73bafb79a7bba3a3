#!/usr/bin/env bash
# The tests as other processors compute them: with the instructions of older ones, on one and two threads, and beside busy cores.
#
#     bash tests/every_processor.sh                      # the whole suite, six times: hours
#     bash tests/every_processor.sh tests/unit/test_engines.py tests/unit/test_objective.py
#
# Arguments go to pytest. No part of CI. Says of each setting whether it passed; fails where one has failed.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
status=0

run() {
    local name=$1
    shift
    if env "$@" "$PYTHON" -m pytest -q "${TESTS[@]}" > local/processor.log 2>&1; then
        echo "passed: $name ($(tail -1 local/processor.log))"
    else
        status=1
        echo "FAILED: $name"
        grep -E "^(FAILED|ERROR)" local/processor.log
    fi
}

has() { grep -qm1 -w "$1" /proc/cpuinfo; }

mkdir -p local
TESTS=("$@")
for threads in 1 2; do
    run "no vector instructions, $threads thread(s)" OMP_NUM_THREADS=$threads ATEN_CPU_CAPABILITY=default MKL_ENABLE_INSTRUCTIONS=SSE4_2
    run "AVX2, $threads thread(s)" OMP_NUM_THREADS=$threads ATEN_CPU_CAPABILITY=avx2 MKL_ENABLE_INSTRUCTIONS=AVX2
    if has avx512f; then
        run "AVX-512, $threads thread(s)" OMP_NUM_THREADS=$threads ATEN_CPU_CAPABILITY=avx512 MKL_ENABLE_INSTRUCTIONS=AVX512
    else
        echo "left out: AVX-512, which this processor does not have"
    fi
done

yes > /dev/null & first=$!
yes > /dev/null & second=$!
trap 'kill $first $second' EXIT
run "two busy cores" OMP_NUM_THREADS=2
exit $status
