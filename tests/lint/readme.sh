#!/bin/bash
# README.md's configuration table is what `vaultd --help` says, and each file that it links is there.
#
#   readme.sh            prints the difference; exits 1 if there is any
#   readme.sh --write    writes the table into README.md
cd "$(dirname "$0")/../.." || exit 2
vaultd=build/${VARIANT:-release}/vaultd
bad=0

table() {
	echo '| key | default | meaning |'
	echo '|---|---|---|'
	"$vaultd" --help | awk '
		/^  VAULT_[A-Z_]+=/ { split($1, part, "="); key = part[1]; value = substr($0, length(key) + 4); next }
		key { sub(/^ +/, ""); gsub(/\|/, "\\|"); printf "| `%s` | %s | %s |\n", key, value == "" ? "" : "`" value "`", $0; key = "" }'
}

expected=$(table)
[ "$(wc -l <<<"$expected")" -gt 20 ] || { echo "$vaultd --help lists no keys"; exit 1; }
if [ "${1:-}" = --write ]; then
	EXPECTED=$expected awk '
		/^<!-- configuration -->$/ { print; print ENVIRON["EXPECTED"]; skip = 1; next }
		/^<!-- end -->$/ { skip = 0 }
		!skip' README.md >README.md.new && mv README.md.new README.md
	exit
fi
diff <(sed -n '/^<!-- configuration -->$/,/^<!-- end -->$/{/^<!--/d;p}' README.md) <(echo "$expected") || { echo 'README.md: run tests/lint/readme.sh --write'; bad=1; }
while read -r path; do
	[ -e "$path" ] || { echo "README.md links $path, which is not there"; bad=1; }
done < <(grep -oE '\]\([^)#:]+' README.md | sed 's/^](//' | sort -u)
exit $bad
