#!/bin/bash
# Runs the whole vault for development: private PostgreSQL, certificates, keys, vaultd, sample data.
#
#   vault.sh run     in the foreground, until Ctrl-C
#   vault.sh up      in the background; returns once ready
#   vault.sh down    stops what up started
#   vault.sh status  exit 0 if vaultd runs
#
# All state lies in var/ (STATE_FOLDER) and stays. VAULT_DATABASE_URL (with VAULT_MIGRATE_URL) uses a PostgreSQL that is there already;
# VAULT_LISTEN_PORT and VAULT_OPERATIONS_PORT set the ports.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "vault: $*" >&2; exit 1; }
command=${1:-}
vaultd=build/release/vaultd
vaultctl=build/release/vaultctl
state=${STATE_FOLDER:-var}
pg=$state/pg
log=$state/vaultd.log
python=/usr/bin/python3 # Debian's own: one in front of it in PATH may be a slow wrapper
[ -x $python ] || python=python3
address=${VAULT_LISTEN_ADDRESS:-127.0.0.1}
port=${VAULT_LISTEN_PORT:-8443}
operations=${VAULT_OPERATIONS_PORT:-9443}
pid=

# HashiCorp Vault's own variables, which many developers have set: vaultd refuses VAULT_* keys that it does not know.
for name in VAULT_ADDR VAULT_TOKEN VAULT_NAMESPACE VAULT_CACERT VAULT_SKIP_VERIFY VAULT_FORMAT; do
	[ -z "${!name+x}" ] || echo "vault: $name is another program's and left out" >&2
	unset "$name"
done

running() { # sets pid
	[ -s "$state/vaultd.pid" ] || return 1
	pid=$(cat "$state/vaultd.pid")
	# The number may have gone to another program since.
	[[ $(readlink "/proc/$pid/exe" 2>/dev/null || true) == "$PWD/$vaultd"* ]]
}

ready() { curl -fs -o /dev/null --max-time 2 "http://127.0.0.1:$operations/readyz"; }

port_is_busy() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

check_ports() {
	local at=$address
	[ "$at" != 0.0.0.0 ] || at=127.0.0.1
	! port_is_busy "$at" "$port" || die "port $port is in use by another program: stop it, or set VAULT_LISTEN_PORT"
	! port_is_busy 127.0.0.1 "$operations" || die "port $operations is in use by another program: stop it, or set VAULT_OPERATIONS_PORT"
}

build() {
	[ -x "$vaultd" ] || echo 'vault: building, which takes a minute or two the first time'
	# Without what an outer make hands on: this is a make of its own.
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u VARIANT make -s -j"$(nproc)" all >"$state/build.log" 2>&1 || { tail -30 "$state/build.log" >&2; die "the build failed; all of its output is in $state/build.log"; }
}

database() { # sets database_url and migrate_url
	database_url=${VAULT_DATABASE_URL:-}
	migrate_url=${VAULT_MIGRATE_URL:-}
	if [ -n "$database_url" ]; then
		[ -n "$migrate_url" ] || die "VAULT_DATABASE_URL is set, so VAULT_MIGRATE_URL must be too: migrations need the role that owns the schema"
		return
	fi
	.dev/cluster.sh start "$pg"
	cluster_started=1
	# shellcheck disable=SC1091 # made by cluster.sh
	. "$pg/env"
	# shellcheck disable=SC2153 # from that file
	database_url=$DATABASE_URL migrate_url=$MIGRATE_URL
}

configure() { # as a file, so that vaultctl and a vaultd started by hand find the same
	(umask 077 && cat >"$state/vault.conf.new") <<-C
		# Written by \`make run\` and \`make up\`. The environment wins over this file.
		VAULT_DATABASE_URL="$database_url"
		VAULT_LISTEN_ADDRESS=$address
		VAULT_LISTEN_PORT=$port
		VAULT_OPERATIONS_PORT=$operations
		VAULT_KEYRING=${VAULT_KEYRING:-$state/keys/keyring}
		VAULT_ROOT_KEY=${VAULT_ROOT_KEY:-$state/keys/root}
	C
	mv "$state/vault.conf.new" "$state/vault.conf"
}

prepare() {
	mkdir -p "$state/keys"
	chmod 0700 "$state/keys"
	build
	check_ports
	sh certs/dev-ca.sh >"$state/pki.log" 2>&1 || { cat "$state/pki.log" >&2; die "the development certificates could not be made"; }
	database
	configure
	if [ ! -e "${VAULT_KEYRING:-$state/keys/keyring}" ]; then
		"$vaultctl" key init --config "$state/vault.conf"
	fi
	# In the environment: a password would be seen in the list of processes otherwise.
	VAULT_MIGRATE_URL=$migrate_url "$vaultctl" migrate --config "$state/vault.conf"
}

launch() {
	[ ! -e "$log" ] || mv "$log" "$log.1"
	# A session of its own: Ctrl-C is for this script, which stops vaultd in order.
	env -u VAULT_MIGRATE_URL setsid "$vaultd" --config "$state/vault.conf" </dev/null >"$log" 2>&1 &
	pid=$!
	echo "$pid" >"$state/vaultd.pid"
	local deadline=$((SECONDS + 30))
	until ready; do
		if ! kill -0 "$pid" 2>/dev/null; then
			tail -20 "$log" >&2
			die "vaultd ended at once; that was the end of $log"
		fi
		if [ "$SECONDS" -ge "$deadline" ]; then
			tail -20 "$log" >&2
			curl -s --max-time 2 "http://127.0.0.1:$operations/readyz" >&2 || true
			die "vaultd was not ready within 30 s; that was the end of $log and what /readyz says"
		fi
		sleep 0.05
	done
}

sample() {
	local at=$address
	[ "$at" != 0.0.0.0 ] || at=127.0.0.1
	DATABASE_URL=$database_url "$python" .dev/sample.py start --url "https://$at:$port" --certs certs/dev --mark "$state/sample.loading"
}

stop_vaultd() {
	local deadline
	if running; then
		kill -TERM "$pid"
		deadline=$((SECONDS + ${VAULT_DRAIN_TIMEOUT_MS:-15000} / 1000 + 5))
		while running && kill -0 "$pid" 2>/dev/null; do
			if [ "$SECONDS" -ge "$deadline" ]; then
				echo "vault: vaultd did not stop in time; it is killed" >&2
				kill -KILL "$pid"
				break
			fi
			sleep 0.05
		done
	fi
	rm -f "$state/vaultd.pid"
}

stop_all() {
	stop_vaultd
	[ ! -d "$pg" ] || .dev/cluster.sh stop "$pg"
}

give_up() { # on any exit but a good one of up: nothing of ours stays behind
	local rc=$?
	trap '' INT TERM
	trap - EXIT
	[ -z "${follower:-}" ] || kill "$follower" 2>/dev/null || true
	stop_vaultd
	[ -z "${cluster_started:-}" ] || .dev/cluster.sh stop "$pg"
	exit "$rc"
}

start_all() {
	mkdir -p "$state"
	trap give_up EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	prepare
	launch
	sample
}

case $command in
run)
	! running || die "it runs already in the background (process $pid); 'make down' stops it"
	start_all
	echo "vault: https://127.0.0.1:$port, operations on http://127.0.0.1:$operations, log in $log"
	trap 'exit 0' INT TERM
	echo 'vault: Ctrl-C stops all of it; data stays in '"$state/"
	tail -n 0 -F "$log" 2>/dev/null &
	follower=$!
	wait "$pid" || die "vaultd ended by itself (exit $?); see $log"
	die "vaultd ended by itself; see $log"
	;;
up)
	if running; then
		# Where it listens is what it was started with, not what this call happens to name.
		port=$(sed -n 's/^VAULT_LISTEN_PORT=//p' "$state/vault.conf")
		operations=$(sed -n 's/^VAULT_OPERATIONS_PORT=//p' "$state/vault.conf")
		if ! ready && [ -z "${VAULT_DATABASE_URL:-}" ] && [ -d "$pg" ] && ! .dev/cluster.sh status "$pg"; then
			echo 'vault: its PostgreSQL is gone; starting it again'
			.dev/cluster.sh start "$pg"
			for _ in $(seq 100); do
				! ready || break
				sleep 0.1
			done
		fi
		ready || die "it runs (process $pid) but is not ready; see $log and http://127.0.0.1:$operations/readyz"
		echo "vault: up already at https://$address:$port (process $pid), log in $log"
		exit 0
	fi
	start_all
	trap - EXIT
	echo "vault: up at https://127.0.0.1:$port (process $pid), log in $log"
	;;
down)
	mkdir -p "$state"
	stop_all
	;;
status) running ;;
*) die "usage: vault.sh run|up|down|status" ;;
esac
