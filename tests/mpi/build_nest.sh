#!/usr/bin/env bash
# Build NEST with MPI and a few models into the user's cache folder, if it is not there yet.
#
#   tests/mpi/build_nest.sh PYTHON
#
# Prints the folder to put on PYTHONPATH. Where MPI's development files are missing and cannot be
# installed, says so and ends well: the tests with MPI are then skipped, or fail if
# NESTLFP_REQUIRE_MPI is set.
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
version=3.10.0
abi=$("$python" -c 'import sys; print("py%d.%d" % sys.version_info[:2])')
prefix=${XDG_CACHE_HOME:-$HOME/.cache}/nestlfp/nest-mpi-$version-$abi
packages="openmpi-bin libopenmpi-dev libgsl-dev libltdl-dev libboost-dev"

installed() { [ -f "$prefix/complete" ]; }
if ! installed; then
  if ! command -v mpicxx >/dev/null || [ ! -f /usr/include/ltdl.h ]; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
      apt-get update -qq
      # shellcheck disable=SC2086
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
    else
      echo "nest-mpi: no MPI here, tests with it are skipped; to run them: apt-get install $packages" >&2
      exit 0
    fi
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  "$python" -m pip install --quiet cython
  echo "nest-mpi: building NEST $version with MPI (some 5 minutes, kept in $prefix)" >&2
  "$python" -m pip download --quiet --no-deps --no-binary nest-simulator --dest "$work" "nest-simulator==$version"
  tar -xzf "$work"/nest_simulator-*.tar.gz -C "$work"
  source=$(echo "$work"/nest_simulator-*/)
  printf '%s\n' multimeter spike_recorder poisson_generator spike_generator static_synapse \
    parrot_neuron iaf_psc_alpha iaf_psc_delta iaf_psc_exp >"$source/modelsets/nestlfp"
  rm -rf "$prefix"
  export PATH="$(dirname "$python"):$PATH" # its cython and cmake
  cmake -S "$source" -B "$work/build" -Dwith-mpi=ON -Dwith-hdf5=OFF -Dwith-modelset=nestlfp \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DPython_EXECUTABLE="$python" >"$work/log" 2>&1 &&
    make -C "$work/build" -j"$(nproc)" install >>"$work/log" 2>&1 ||
    { tail -n 40 "$work/log" >&2; exit 1; }
  touch "$prefix/complete"
fi
"$python" -c 'import mpi4py' 2>/dev/null || "$python" -m pip install --quiet mpi4py
echo "$prefix"/lib*/python3*/site-packages
