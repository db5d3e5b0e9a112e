#!/usr/bin/env bash
# Makes every table and figure of docs/evaluation.md anew, or only some: benchmarks/evaluation.sh FOLDER [NAME ...]
# POWERTRAIN_DATA must name the folder of recorded data. Some two hours on one core.
# To publish tables, copy FOLDER/*.txt into benchmarks/results: docs/building/evaluation_tables.py makes a page of these.
set -euo pipefail
folder=${1:?usage: benchmarks/evaluation.sh FOLDER [NAME ...]}
only=("${@:2}")
benchmarks=$(dirname "$0")
# Threads of such small networks wait for each other more than they work.
export OMP_NUM_THREADS=1 COLUMNS=100

wanted() {
  [[ ${#only[@]} == 0 || " ${only[*]} " == *" $1 "* ]]
}

# Writes the command of a table, the day and, from the standard input, what the command prints.
record() {
  printf '$ %s\nMade on %s.\n\n' "$2" "$(date -u +%F)" >"$folder/$1.txt"
  sed -e '/^Wrote /d' -e '/ explains the columns/d' -e 's/ *$//' | tee -a "$folder/$1.txt"
}

evaluate() {
  name=$1
  shift
  if wanted "$name"; then
    powertrain evaluate "$@" --plots "$folder/$name" | record "$name" "powertrain evaluate $*"
  fi
}

benchmark() {
  name=$1 script=$2
  shift 2
  if wanted "$name"; then
    python "$benchmarks/$script.py" "$@" | record "$name" "python benchmarks/$script.py$( (($#)) && printf ' %q' "$@")"
  fi
}

mkdir -p "$folder"
evaluate paper --experiment paper
# Networks take nearly all of the time, and do not change when the default predictor does: they have tables of their own.
networks=scratch,paper,boosting ours=linear,grey-box,grey-box-lhs,grey-box-informed
evaluate tx2-inception --experiment tx2-inception --methods $ours
evaluate tx2-inception-networks --experiment tx2-inception --methods $networks
evaluate tx2-alexnet --experiment tx2-alexnet --methods random-pareto,$ours
evaluate tx2-alexnet-networks --experiment tx2-alexnet --methods scratch,boosting
evaluate gpu-training --experiment gpu-training --methods random-pareto,$ours
evaluate gpu-training-networks --experiment gpu-training --methods $networks
for board in agx-xavier orin-nano; do
  evaluate $board-networks --experiment $board --methods $networks --modes 10,50
  for reference in none orin-agx-64gb-resnet18 resnet18; do
    evaluate $board-from-$reference --experiment $board --reference $reference \
      --workloads mobilenetv3,yolov8n --methods grey-box-informed
  done
done
evaluate foreign --experiment foreign
evaluate signals --experiment signals
evaluate foreign-jobs --experiment foreign-jobs
evaluate rivals --experiment rivals
if wanted energy; then
  powertrain evaluate --experiment energy | record energy "powertrain evaluate --experiment energy"
fi
evaluate profiling-cost --experiment profiling-cost --methods random-pareto,paper,boosting,grey-box-informed --seeds 2
evaluate decisions --experiment decisions --methods search,auto
evaluate verified --experiment decisions --methods grey-box-informed --seeds 1 --verify
evaluate hard-budget --experiment hard-budget --methods hard --seeds 3
jobs=(--seeds 5 --workload mobilenetv3 --workload yolov8n --workload bert-base --workload lstm --method oracle)
stock=(--method "stock MAXN" --method "stock MODE_50W") # the others switch off a part of the GPU
benchmark job job "${jobs[@]}" "${stock[@]}" --method ours --method "ours, auto"
benchmark job-paper job "${jobs[@]}" --method paper
benchmark budgets budgets whole-job
benchmark budgets-of-8-hours budgets whole-job --minutes 480 --jobs 9 # half an hour by itself
benchmark solar-day budgets solar-day
benchmark zero-configuration budgets none --workload resnet18 --workload mobilenetv3 --workload lstm
benchmark decide decide
benchmark overhead overhead
