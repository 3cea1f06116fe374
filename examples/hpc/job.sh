#!/bin/bash
#SBATCH --job-name=nestlfp
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2        # an MPI rank for each socket
#SBATCH --cpus-per-task=64         # a thread for each of its cores
#SBATCH --time=02:00:00

# Run on the login node before:  nestlfp build kernels.nc   (see README.md)

set -euo pipefail
module load Python OpenMPI NEST    # with the names of your cluster
source "$HOME/venv/bin/activate"   # nestlfp[stream,mpi], and mpi4py built for this MPI

# Where the login node put the compiled module; compute nodes must see the folder.
export NESTLFP_CACHE="${PROJECT:-$HOME}/nestlfp-cache"
export OMP_NUM_THREADS="$SLURM_CPUS_PER_TASK" OMP_PROC_BIND=true OMP_PLACES=cores

srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=1 \
  python simulate.py kernels.nc "signals-$SLURM_JOB_ID.zarr" \
  --network microcircuit --duration 100000
