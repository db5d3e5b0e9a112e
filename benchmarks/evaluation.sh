#!/usr/bin/env bash
# Makes every table and figure of docs/evaluation.md anew, or only some: benchmarks/evaluation.sh FOLDER [NAME ...]
# POWERTRAIN_DATA must name the folder of recorded data. Some 45 minutes on one core.
set -euo pipefail
folder=${1:?usage: benchmarks/evaluation.sh FOLDER [NAME ...]}
only=("${@:2}")
# Threads of such small networks wait for each other more than they work.
export OMP_NUM_THREADS=1 COLUMNS=100

wanted() {
  [[ ${#only[@]} == 0 || " ${only[*]} " == *" $1 "* ]]
}

evaluate() {
  name=$1
  shift
  if wanted "$name"; then
    powertrain evaluate "$@" --plots "$folder/$name" | tee "$folder/$name.txt"
  fi
}

mkdir -p "$folder"
evaluate paper --experiment paper
evaluate tx2-inception --experiment tx2-inception
evaluate tx2-alexnet --experiment tx2-alexnet
evaluate gpu-training --experiment gpu-training
for board in agx-xavier orin-nano; do
  evaluate $board --experiment $board --methods scratch,paper,boosting,grey-box-informed --modes 10,50
  for reference in none orin-agx-64gb-resnet18 resnet18; do
    evaluate $board-from-$reference --experiment $board --reference $reference \
      --workloads mobilenetv3,yolov8n --methods grey-box-informed
  done
done
evaluate profiling-cost --experiment profiling-cost --methods random-pareto,paper,boosting,grey-box-informed --seeds 2
evaluate decisions --experiment decisions --methods search,auto
evaluate verified --experiment decisions --methods grey-box-informed --seeds 1 --verify
evaluate hard-budget --experiment hard-budget --methods hard --seeds 3
if wanted job; then
  python "$(dirname "$0")/job.py" --seeds 5 --workload mobilenetv3 --workload yolov8n --workload bert-base \
    --workload lstm | tee "$folder/job.txt"
fi
