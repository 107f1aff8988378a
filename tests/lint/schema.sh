#!/bin/bash
# sql/SCHEMA.md names every table and column that the migrations make, each column in its table's section or row, and its
# table of grants is theirs; vault/ARCHITECTURE.md names every folder of vault/ and include/.
# Prints each omission; exits 1 if there is any.
cd "$(dirname "$0")/../.." || exit 2
doc=sql/SCHEMA.md
bad=0
complain() { echo "$*"; bad=1; }

# "table column" a line. schema_migration is made by `vaultctl migrate` itself, in a string of C.
columns() {
	{
		cat sql/*.sql
		sed -n '/define TABLE/,/applied_at/p' vault/store/migrate.c | tr -d '"\\\n' | tr -s ' \t' ' ' |
			sed 's/.*\(CREATE TABLE\) IF NOT EXISTS vault\.\([a-z_]*\) (/\n\1 \2 (\n/; s/, /,\n/g; s/$/\n/'
	} | awk '
		{ sub(/--.*/, "") }
		/^CREATE TABLE / { table = $3; next }
		/^ALTER TABLE .* ADD COLUMN / { name = $6 == "IF" ? $9 : $6; sub(/;$/, "", name); print $3, name; next }
		/^\)/ { table = ""; next }
		table && $1 ~ /^[a-z_0-9]+$/ { print table, $1 }' | sort -u
}

# What SCHEMA.md says of a table: its section, or its row in a table of tables.
said_of() {
	awk -v table="$1" '
		/^#/ { on = ($0 == "### " table); next }
		on || index($0, "| `" table "` |") == 1 || index($0, "`" table "` (") == 1 { print }' $doc
}

list=$(columns)
[ "$(wc -l <<<"$list")" -gt 60 ] || complain "the migrations make $(wc -l <<<"$list") columns: can that be?"
while read -r table; do
	said=$(said_of "$table")
	[ -n "$said" ] || { complain "$doc lacks the table $table"; continue; }
	while read -r column; do
		grep -qF "\`$column\`" <<<"$said" || complain "$doc lacks the column $table.$column"
	done < <(sed -n "s/^$table //p" <<<"$list")
done < <(cut -d' ' -f1 <<<"$list" | sort -u)

# Grants: "table PRIVILEGE" of the migrations against the table under "## Roles".
granted=$(sed -n 's/^GRANT \(.*\) ON \(.*\) TO vault_service;$/\1|\2/p' sql/*.sql | grep -v '^USAGE' |
	while IFS='|' read -r rights tables; do
		for table in ${tables//,/ }; do
			for right in ${rights//,/ }; do echo "$table $right"; done
		done
	done | sort -u)
written=$(sed -n '/^## Roles/,/^## What/p' $doc | awk -F'|' '
	/^\| `/ { n = split($2, t, " "); for (i = 1; i <= n; i++) { gsub(/`/, "", t[i]); for (c = 3; c <= 6; c++) if ($c ~ /x/) print t[i], right[c] } }
	/^\| tables/ { for (c = 3; c <= 6; c++) { gsub(/ /, "", $c); right[c] = $c } }' | sort -u)
[ -n "$granted" ] || complain 'the migrations grant nothing: can that be?'
diff <(echo "$granted") <(echo "$written") >/dev/null || {
	complain "$doc: its table of grants is not what the migrations grant (< they, > it):"
	diff <(echo "$granted") <(echo "$written") | grep '^[<>]'
}

doc=vault/ARCHITECTURE.md
for folder in vault/*/ include/*/; do
	grep -qF "\`${folder%/}\`" $doc || complain "$doc lacks the folder ${folder%/}"
done
exit $bad
