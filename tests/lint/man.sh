#!/bin/bash
# The man pages name every key, command and option that the programs' own help names, and no key that it does not.
# Prints each difference; exits 1 if there is any.
cd "$(dirname "$0")/../.." || exit 2
build=build/${VARIANT:-release}
bad=0
complain() { echo "$*"; bad=1; }

help=$("$build/vaultd" --help) || { echo "$build/vaultd --help fails"; exit 1; }
mapfile -t keys < <(grep -oE '^  VAULT_[A-Z_]+=' <<<"$help" | tr -d ' =' | sort)
[ ${#keys[@]} -gt 20 ] || complain "vaultd --help lists ${#keys[@]} keys: can that be?"
page=vault/vaultd.8
for key in "${keys[@]}"; do
	grep -q "^\.It Ev .*\b$key\b" $page || complain "$page lacks $key"
done
while read -r key; do
	grep -qxF "$key" <(printf '%s\n' "${keys[@]}") || complain "$page has $key, which vaultd does not know"
done < <(grep '^\.It Ev' $page | grep -oE 'VAULT_[A-Z_]+')

page=vault/ctl/vaultctl.1
help=$("$build/vaultctl" --help) || { echo "$build/vaultctl --help fails"; exit 1; }
mapfile -t commands < <(sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z][a-z-]*\)\?\)  .*/\1/p' <<<"$help")
[ ${#commands[@]} -gt 10 ] || complain "vaultctl --help lists ${#commands[@]} commands: can that be?"
for command in "${commands[@]}"; do
	grep -q "^\.It Cm $command\b" $page || complain "$page lacks the command $command"
	# shellcheck disable=SC2086 # a command of two words
	own=$("$build/vaultctl" $command --help) || complain "vaultctl $command --help fails"
	while read -r option; do
		grep -qE "Fl .*-${option#--}\b" $page || complain "$page lacks $option of $command"
	done < <(grep -oE '^  --[a-z-]+' <<<"$own"$'\n'"$help" | sort -u)
done
while read -r code; do
	grep -qxF ".It $code" $page || complain "$page lacks the exit code $code"
done < <(sed -n '/^Exit codes:/,/^$/s/^  \([0-9]\)  .*/\1/p' <<<"$help")
exit $bad
