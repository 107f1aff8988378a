#!/bin/bash
# Installs the Debian packages of the lists named (default: .ci/packages) that are missing.
# Says nothing and calls no apt when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- .ci/packages

command -v dpkg-query >/dev/null || { echo "install: this is no Debian; install what is listed in $* by hand" >&2; exit 0; }
mapfile -t wanted < <(sed 's/#.*//' "$@" | awk 'NF { print $1 }' | sort -u)
# A package that dpkg never heard of is an error to dpkg-query and missing to us.
installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null | awk '$2 == "installed" { print $1 }' || true)
missing=()
for p in "${wanted[@]}"; do
	grep -qxF "$p" <<<"$installed" || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "install: missing: ${missing[*]}; run as root, or install sudo" >&2; exit 1; }
	sudo=(sudo)
fi

# Debian's package makes and starts a cluster of its own. Ours is private, so that one is not
# asked for, unless there are clusters already: those are the administrator's.
no_main=/etc/postgresql-common/createcluster.d/zz-no-main-cluster.conf
undo() { [ -z "${made_no_main:-}" ] || "${sudo[@]}" rm -f "$no_main"; }
trap undo EXIT
if [[ " ${missing[*]} " == *" postgresql "* && ! -e $no_main ]] && ! compgen -G '/etc/postgresql/*/*' >/dev/null; then
	"${sudo[@]}" mkdir -p "${no_main%/*}"
	"${sudo[@]}" tee "$no_main" >/dev/null <<<'create_main_cluster = false'
	made_no_main=1
fi

echo "install: ${missing[*]}"
apt() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null; }
# Package lists may be absent or too old: then they are fetched, once.
if ! apt install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
	apt update
	apt install -y --no-install-recommends "${missing[@]}" >/dev/null
fi
