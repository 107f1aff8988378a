#!/bin/bash
# Builds and runs the tests named and says at the end, alone on a line: N passed, N failed.
#
#   test.sh PART...    unit[:FLOOR] corpus lint e2e[:WORD]     (VARIANT=release|asan|tsan|cov)
#
# unit:FLOOR runs the unit tests of one floor; e2e:WORD the end-to-end scripts whose name holds WORD. Output of each goes to
# build/test-logs/VARIANT/; the end of it is shown where something fails. A program that crashes, prints no result, or is not
# there counts as failed. All that runs lies in one temporary folder, and whatever still runs from it at the end is a failure.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export VARIANT=${VARIANT:-release}
build=build/$VARIANT
logs=build/test-logs/$VARIANT
python=/usr/bin/python3 # Debian's own: one in front of it in PATH may be a slow wrapper
[ -x $python ] || python=python3
passed=0
failed=0
started=$SECONDS
rm -rf "$logs"
mkdir -p "$logs"

TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/vault-test.XXXXXX") || exit 1
export TMPDIR
chmod 0711 "$TMPDIR" # PostgreSQL runs as a user of its own when we are root
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0:second_deadlock_stack=1:suppressions=$PWD/.dev/tsan.supp}
# The developer's own vault is not what is tested.
for name in ${!VAULT_@}; do unset "$name"; done

leftovers() { # processes, but this one and its own subshells, that were started with our TMPDIR; they may end while we look
	local p pid
	for p in /proc/[0-9]*; do
		pid=${p#/proc/}
		[ "$pid" != $$ ] || continue
		if ! tr '\0' '\n' <"$p/environ" | grep -qxF "TMPDIR=$TMPDIR" && ! tr '\0' ' ' <"$p/cmdline" | grep -qF "$TMPDIR/"; then
			continue
		fi
		grep -q "^PPid:[[:space:]]*$$\$" "$p/status" || [ ! -e "$p" ] || echo "$pid"
	done 2>/dev/null
}

end() {
	local rc=$? pid
	trap '' INT TERM
	[ ! -e "$TMPDIR/pg/env" ] || .dev/cluster.sh remove "$TMPDIR/pg"
	for pid in $(leftovers); do
		kill -KILL "$pid" 2>/dev/null
	done
	rm -rf "$TMPDIR"
	exit "$rc"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

count() { # NAME PASSED FAILED LOG: takes the numbers and shows the log's end where something failed
	passed=$((passed + $2))
	failed=$((failed + $3))
	if [ "$3" -gt 0 ]; then
		printf 'FAIL  %-44s %s passed, %s failed\n' "$1" "$2" "$3"
		sed 's/^/      | /' <(tail -n 40 "$4")
		echo "      | all of it is in $4"
	else
		printf 'ok    %-44s %s passed\n' "$1" "$2"
	fi
}

make_quietly() { # LOG TARGET...
	local log=$1
	shift
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s -k -j"$(nproc)" "VARIANT=$VARIANT" "$@" >"$log" 2>&1
}

build_all() {
	local log=$logs/build.log
	echo "building $VARIANT"
	if ! make_quietly "$log" all unit-binaries fuzz-binaries; then
		grep -E "error|Error|undefined reference|warning" "$log" | head -40 >"$log.short"
		count build 0 1 "$log.short"
	fi
}

cluster_for_units() { # unit tests that need a database find one in TEST_DATABASE_URL and its like
	[ -z "${TEST_DATABASE_URL:-}" ] || return 0
	if ! .dev/cluster.sh start "$TMPDIR/pg" >"$logs/cluster.log" 2>&1; then
		count cluster 0 1 "$logs/cluster.log"
		return 0
	fi
	eval "$(sed -n 's/^\(DATABASE_URL\|MIGRATE_URL\|SUPERUSER_URL\|TCP_DATABASE_URL\)=/export TEST_\1=/p' "$TMPDIR/pg/env")"
	export TEST_CLUSTER=$TMPDIR/pg
}

one_unit() { # BINARY
	local bin=$1 log rc good bad planned
	log=$logs/$(basename "$(dirname "$bin")")-$(basename "$bin").log
	CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 300 "./$bin" >"$log" 2>&1 </dev/null
	rc=$?
	# A skipped test is no passed one.
	good=$(grep '^ok [0-9]' "$log" | grep -vc '# SKIP')
	bad=$(grep '^not ok [0-9]\|^ok [0-9].*# SKIP' "$log" | grep -c .)
	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
	# What was planned and never reported, an exit status that no test explains, or no test at all.
	if [ $((good + bad)) -lt "$planned" ]; then
		bad=$((planned - good))
	elif [ "$bad" = 0 ] && { [ "$rc" != 0 ] || [ "$good" = 0 ]; }; then
		bad=1
	fi
	[ "$bad" = 0 ] || echo "exit status $rc" >>"$log"
	count "unit ${bin#"$build"/tests/unit/}" "$good" "$bad" "$log"
}

nothing() { # PART: a part that finds no test is a mistake, not a pass
	echo "there is none" >"$logs/nothing.log"
	count "$1" 0 1 "$logs/nothing.log"
}

run_unit() { # [FLOOR]
	local source bin seen=
	cluster_for_units
	# shellcheck disable=SC2231 # a pattern where no floor is named
	for source in tests/unit/${1:-*}/test_*.c; do
		[ -e "$source" ] || continue
		seen=1
		bin=$build/${source%.c}
		if [ -x "$bin" ]; then
			one_unit "$bin"
		else
			echo "$bin was not built" >"$logs/missing.log"
			count "unit ${source#tests/unit/}" 0 1 "$logs/missing.log"
		fi
	done
	[ -n "$seen" ] || nothing "unit ${1:-}"
}

run_corpus() {
	local source name log
	for source in tests/fuzz/fuzz_*.c; do
		[ -e "$source" ] || continue
		name=$(basename "$source" .c)
		log=$logs/$name.log
		if timeout -k 5 120 "./$build/tests/fuzz/$name" "tests/fuzz/corpus/${name#fuzz_}" >"$log" 2>&1 </dev/null; then
			count "corpus ${name#fuzz_}: $(tail -1 "$log")" 1 0 "$log"
		else
			echo "exit status $?" >>"$log"
			count "corpus ${name#fuzz_}" 0 1 "$log"
		fi
	done
}

run_lint() {
	local script log
	for script in tests/lint/*.sh; do
		log=$logs/lint-$(basename "$script" .sh).log
		if timeout -k 5 120 bash "$script" >"$log" 2>&1 </dev/null; then
			count "lint $(basename "$script" .sh)" 1 0 "$log"
		else
			count "lint $(basename "$script" .sh)" 0 1 "$log"
		fi
	done
}

run_script() { # SCRIPT: leaves its log, with the exit status as the last line
	local log
	log=$logs/e2e-$(basename "$1" .py).log
	timeout -k 20 "${E2E_TIMEOUT:-600}" "$python" "$1" -v >"$log" 2>&1 </dev/null
	echo "exit status $?" >>"$log"
}

count_script() { # SCRIPT
	local log rc ran bad
	log=$logs/e2e-$(basename "$1" .py).log
	rc=$(sed -n '$s/^exit status //p' "$log")
	# unittest ends with: Ran 7 tests in 1.2s, then OK or FAILED (failures=1, errors=2, skipped=3, unexpected successes=1).
	ran=$(sed -n 's/^Ran \([0-9]*\) tests\? in .*/\1/p' "$log" | tail -1)
	bad=$(grep -E '^(OK|FAILED)( \(.*\))?$' "$log" | tail -1 | tr ',' '\n' |
		sed -n 's/.*\(failures\|errors\|skipped\|unexpected successes\)=\([0-9]*\).*/\2/p' | awk '{ n += $1 } END { print n + 0 }')
	ran=${ran:-0}
	if [ "$bad" = 0 ] && { [ "$rc" != 0 ] || [ "$ran" = 0 ]; }; then
		bad=1
		ran=$((ran + 1))
	fi
	# An error in setUpClass fails without a test that ran.
	[ "$ran" -ge "$bad" ] || ran=$bad
	count "e2e $(basename "$1" .py)" $((ran - bad)) "$bad" "$log"
}

run_e2e() { # [WORD]
	local script scripts=()
	if [ -z "${TEST_PKI:-}" ] && sh certs/dev-ca.sh "$TMPDIR/pki" >"$logs/pki.log" 2>&1; then
		export TEST_PKI=$TMPDIR/pki # copied by each script, made once
	fi
	for script in tests/e2e/test_*"${1:-}"*.py; do
		[ ! -e "$script" ] || scripts+=("$script")
	done
	[ ${#scripts[@]} -gt 0 ] || { nothing "e2e ${1:-}"; return 0; }
	# Each has servers and ports of its own and mostly waits: as many at once as there are cores.
	for script in "${scripts[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
			wait -n || true
		done
		run_script "$script" &
	done
	wait
	for script in "${scripts[@]}"; do
		count_script "$script"
	done
}

build_all
for part; do
	case $part in
	unit) run_unit ;;
	unit:*) run_unit "${part#*:}" ;;
	corpus) run_corpus ;;
	lint) run_lint ;;
	e2e) run_e2e ;;
	e2e:*) run_e2e "${part#*:}" ;;
	*) echo "test.sh: unknown part '$part'" >&2; exit 2 ;;
	esac
done

[ ! -e "$TMPDIR/pg/env" ] || .dev/cluster.sh remove "$TMPDIR/pg"
left=$(leftovers)
if [ -n "$left" ]; then
	ps -o pid,stat,args -p "$(paste -sd, <<<"$left")" >"$logs/leftovers.log" 2>&1
	count 'nothing is left running' 0 1 "$logs/leftovers.log"
else
	echo ok >"$logs/leftovers.log"
	count 'nothing is left running' 1 0 "$logs/leftovers.log"
fi
echo "$VARIANT: $((SECONDS - started)) s"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
