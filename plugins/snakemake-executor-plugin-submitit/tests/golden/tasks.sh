#!/bin/bash

# Parameters
#SBATCH --cpus-per-task=2
#SBATCH --job-name=train-3
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --open-mode=append
#SBATCH --output=FOLDER/%j_0_log.out
#SBATCH --requeue
#SBATCH --signal=USR2@120
#SBATCH --time=30
#SBATCH --wckey=submitit

# command
export SUBMITIT_EXECUTOR=slurm
srun --unbuffered --output FOLDER/%j_%t_log.out --kill-on-bad-exit=1 PYTHON -u -m submitit.core._submit FOLDER
