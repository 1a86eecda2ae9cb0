#!/bin/bash
# An archive on a Slurm cluster: 40 tasks, each with one GPU, on one shared file system.
#   sbatch examples/archive/slurm.sh /share/footage /share/footage_x2
# Submit it again for what failed or was cut off by the time limit: finished files are not made again.
# To submit some tasks only (--array=3,7), keep the /40 below: it says how many parts there are.
#SBATCH --job-name=framelift-archive
#SBATCH --array=0-39
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@60
#SBATCH --requeue

set -euo pipefail
# exec: the signal of the time limit reaches framelift, which leaves complete files and its ledger.
exec framelift archive "$1" "$2" --scale 2 --shard auto/40
