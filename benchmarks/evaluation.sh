#!/usr/bin/env bash
# Makes every table and figure of docs/evaluation.md anew: benchmarks/evaluation.sh FOLDER
# POWERTRAIN_DATA must name the folder of recorded data. About 45 minutes on one core, most of it the paper's networks.
set -euo pipefail
folder=${1:?usage: benchmarks/evaluation.sh FOLDER}
# Threads of such small networks wait for each other more than they work.
export OMP_NUM_THREADS=1 COLUMNS=100

evaluate() {
  name=$1
  shift
  powertrain evaluate "$@" --plots "$folder/$name" | tee "$folder/$name.txt"
}

mkdir -p "$folder"
evaluate agx-xavier --experiment agx-xavier --modes 10,50
evaluate agx-xavier-alone --experiment agx-xavier --modes 10,50 --methods boosting,grey-box-lhs --reference none
evaluate orin-nano --experiment orin-nano --modes 10,50
evaluate orin-nano-alone --experiment orin-nano --modes 10,50 --methods boosting,grey-box-lhs --reference none
evaluate paper --experiment paper
evaluate tx2-inception --experiment tx2-inception
evaluate tx2-alexnet --experiment tx2-alexnet
evaluate decisions --experiment decisions --modes 10,20 --methods presets,random-pareto,boosting,grey-box-lhs --verify
evaluate decisions-paper --experiment decisions --modes 10 --methods paper --seeds 1 --workloads mobilenetv3,lstm --verify
evaluate profiling-cost --experiment profiling-cost --seeds 2
