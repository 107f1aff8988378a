#!/bin/bash
# Static checks. Prints a line a check; exit 1 if any found something.
#
#   lint.sh [CHECK...]     layers readme size format shell man python warnings cppcheck analyzer tidy (default: all)
#
# Each check fails where it had nothing to look at.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- layers readme size shell man python warnings cppcheck analyzer tidy
logs=build/lint
mkdir -p "$logs"
passed=0
failed=0
jobs=$(nproc)

mapfile -t sources < <(find vault policy -name '*.c' 2>/dev/null | sort)
mapfile -t headers < <(find vault policy include -name '*.h' 2>/dev/null | sort)
mapfile -t tests < <(find tests -name '*.c' | sort)
mapfile -t shells < <(find .dev .ci certs tests -type f \( -name '*.sh' -o -path .ci/run \) 2>/dev/null | sort)
mapfile -t pages < <(find vault -name '*.[18]' | sort)
mapfile -t pythons < <(find .dev tests -name '*.py' | sort)
flags=()
# As the Makefile has them, quotes and all; dependency files are not wanted here.
eval "flags=($(env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s print-cflags | sed 's/-MMD\|-MP//g'))"
plain=() # without what only gcc takes
for flag in "${flags[@]}"; do
	[[ $flag != -[IDU]* && $flag != -std=* ]] || [[ $flag == *FORTIFY* ]] || plain+=("$flag")
done

each() { # FILE...: runs "$@" before -- once a file, on all cores
	local args=()
	while [ "$1" != -- ]; do
		args+=("$1")
		shift
	done
	shift
	[ $# -gt 0 ] || { echo "nothing to look at"; return 1; }
	printf '%s\0' "$@" | xargs -0 -n1 -P"$jobs" "${args[@]}"
}

check_layers() { bash tests/lint/layers.sh; }
check_readme() { bash tests/lint/readme.sh; }

check_size() { # files under 500 lines
	[ ${#sources[@]} -gt 0 ] || return 1
	wc -l "${sources[@]}" "${headers[@]}" | awk '$2 != "total" && $1 >= 500 { print $2 ": " $1 " lines; split it"; bad = 1 } END { exit bad }'
}

check_shell() { shellcheck "${shells[@]}"; }

check_man() { # the only finding let through: mandoc wants references that its own system has
	[ ${#pages[@]} -gt 0 ] || return 1
	! mandoc -T lint -W warning "${pages[@]}" 2>&1 | grep -v 'referenced manual not found'
}

check_python() { # syntax only: the standard library has no linter
	python3 - "${pythons[@]}" <<-'P'
		import ast, sys
		for path in sys.argv[1:]:
		    ast.parse(open(path).read(), path)
		sys.exit(len(sys.argv) < 2)
	P
}

check_warnings() { # every warning of the Makefile is an error, for tests too
	each gcc "${flags[@]}" -Werror -fsyntax-only -- "${sources[@]}" "${tests[@]}"
}

check_cppcheck() {
	cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j"$jobs" \
		--suppressions-list=.dev/cppcheck.supp -D_GNU_SOURCE -D__linux__ -Iinclude -Ivault -I. "${sources[@]}"
}

check_analyzer() { # without the warnings that gcc 12 gets wrong where a pointer lies in an array; leaks are LeakSanitizer's part
	each gcc "${flags[@]}" -Werror -fanalyzer -Wno-analyzer-too-complex -Wno-analyzer-malloc-leak \
		-Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-possible-null-dereference -Wno-maybe-uninitialized -O1 -U_FORTIFY_SOURCE -c -o /dev/null -- "${sources[@]}"
}

check_tidy() {
	# shellcheck disable=SC2016 # the file comes last from xargs and goes first to clang-tidy
	each bash -c 'clang-tidy --quiet "${!#}" -- "${@:1:$#-1}"' tidy "${plain[@]}" -- "${sources[@]}"
}

for name; do
	started=$SECONDS
	declare -F "check_$name" >/dev/null || { echo "lint.sh: no check '$name'" >&2; exit 2; }
	if "check_$name" >"$logs/$name.log" 2>&1 </dev/null; then
		printf 'ok    lint %-12s %3d s\n' "$name" $((SECONDS - started))
		passed=$((passed + 1))
	else
		printf 'FAIL  lint %-12s %3d s\n' "$name" $((SECONDS - started))
		sed 's/^/      | /' <(grep -v 'warnings generated\|Suppressed' "$logs/$name.log" | head -60)
		echo "      | all of it is in $logs/$name.log"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
