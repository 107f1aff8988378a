#!/bin/bash
# Line coverage of the last `make cov`, a line a floor, then the files that are covered least.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "$(find build/cov -name '*.gcda' 2>/dev/null | head -1)" ] || { echo "cov: nothing was run; use make cov" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
find build/cov/vault build/cov/policy -name '*.gcno' 2>/dev/null | while read -r note; do
	gcov -n -o "$(dirname "$note")" "$note" 2>/dev/null
done >"$work/out"
# gcov prints: File 'vault/base/buf.c' and on the next line Lines executed:93.10% of 87
awk -F"'" '
	/^File / { file = $2 }
	/^Lines executed:/ {
		if (file ~ /^(vault|policy)\/.*\.c$/ && !(file in lines)) {
			split($0, part, /[:% ]+/)
			lines[file] = part[5]
			hit[file] = part[3] * part[5] / 100
		}
		file = ""
	}
	END {
		for (f in lines) {
			floor = f
			if (f ~ /^policy\//) floor = "policy"
			else if (f ~ /^vault\/.*\//) { sub(/^vault\//, "", floor); sub(/\/.*/, "", floor) }
			else floor = "main"
			n[floor] += lines[f]; h[floor] += hit[f]; all += lines[f]; all_hit += hit[f]
			printf "2 %5.1f%% %6d  %s\n", 100 * hit[f] / lines[f], lines[f], f
		}
		for (x in n) printf "1 %5.1f%% %6d  %s\n", 100 * h[x] / n[x], n[x], x
		if (all) printf "0 %5.1f%% %6d  all\n", 100 * all_hit / all, all
	}' "$work/out" | sort >"$work/table"
echo 'covered  lines  floor'
sed -n 's/^[01] //p' "$work/table"
echo 'covered  lines  file (the ten that are covered least)'
sed -n 's/^2 //p' "$work/table" | head -10
