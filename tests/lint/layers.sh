#!/bin/bash
# Includes run strictly downward, and each outside library is seen by one floor only.
# Prints each breach; exits 1 if there is any.
cd "$(dirname "$0")/../.." || exit 2
declare -A floor=([base]=0 [crypto]=1 [policy]=1 [archive]=1 [post]=1 [field]=1 [db]=1 [codec]=2 [store]=2 [app]=3 [http]=4 [main]=5 [ctl]=5)
declare -A owner=([openssl/]=crypto [libpq-fe.h]=db [jansson.h]=codec [microhttpd.h]=http [gnutls/]=http [utf8proc.h]=field [curl/]="post ctl" [archive.h]=archive [archive_entry.h]=archive)
bad=0
floor_of() { # the floor a file belongs to
	case $1 in
	policy/*) echo policy ;;
	vault/*/* | include/*/*) echo "$1" | cut -d/ -f2 ;;
	vault/*) echo main ;;
	esac
}
while read -r file; do
	mine=$(floor_of "$file")
	[ -n "${floor[$mine]:-}" ] || { echo "$file: unknown floor '$mine'"; bad=1; continue; }
	while read -r inc; do
		for lib in "${!owner[@]}"; do
			[[ $inc == "$lib"* && " ${owner[$lib]} " != *" $mine "* ]] && { echo "$file: only ${owner[$lib]} may include $inc"; bad=1; }
		done
		[[ $inc == */* ]] || continue
		theirs=${inc%%/*}
		[ -n "${floor[$theirs]:-}" ] || continue
		[ "$theirs" = "$mine" ] && continue
		[ "${floor[$theirs]}" -lt "${floor[$mine]}" ] || { echo "$file: floor $mine (${floor[$mine]}) includes $inc (${floor[$theirs]})"; bad=1; }
	done < <(sed -n 's/^# *include *[<"]\([^>"]*\)[>"].*/\1/p' "$file")
done < <(find vault policy include -name '*.[ch]' | sort)
exit $bad
