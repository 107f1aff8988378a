#!/bin/bash
# Builds the load client and runs the bench; `make bench` calls it after it has built vaultd and vaultctl.
#
#   run.sh [--quick] [--work NAME]... [--connections N]...
#   run.sh grow      how it grows (grow.py)
#   run.sh instr     instructions a request (instr.py)
#
# BENCH_SECONDS (3) a measurement, BENCH_ROUNDS (3) rounds, BENCH_CUSTOMERS (10000), BENCH_OUT (build/bench.json).
# Everything listens on loopback only and is stopped at the end, also after an error.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p build/bench
# shellcheck disable=SC2046 # pkg-config prints several words
"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wconversion -Wsign-conversion -Wshadow -Wvla -Wformat=2 \
	-Wcast-qual -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Werror \
	-o build/bench/load tests/bench/*.c $(pkg-config --cflags --libs openssl jansson)
case ${1:-} in
grow | instr)
	script=$1
	shift
	;;
*) script=bench ;;
esac
exec "${PYTHON:-python3}" "tests/bench/$script.py" "$@"
