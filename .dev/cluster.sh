#!/bin/bash
# A private PostgreSQL cluster for development and tests.
#
#   cluster.sh start FOLDER    makes it if there is none, starts it, writes FOLDER/env
#   cluster.sh stop FOLDER     stops it; data stays
#   cluster.sh status FOLDER   exit 0 if it runs
#   cluster.sh remove FOLDER   stops it and deletes FOLDER
#
# FOLDER/env holds NAME='value' lines: DATABASE_URL (role vault_service), MIGRATE_URL (vault_owner, owner of database
# vault), SUPERUSER_URL, TCP_DATABASE_URL (over loopback), PG_PORT, PG_DATA, PG_SOCKET, PG_BIN. The connection strings name
# a passfile of mode 0600, so none of them is a secret and other users of the machine can't log in.
#
# Run by root, the server runs as system user postgres. Where that user can't reach FOLDER (a home of mode 0700), data
# lies in /var/lib/vault-dev instead and FOLDER/base says where.
set -euo pipefail
umask 022

die() { echo "cluster: $*" >&2; exit 1; }
[ $# = 2 ] || die "usage: cluster.sh start|stop|status|remove FOLDER"
command=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd -P)
python=/usr/bin/python3 # Debian's own: one in front of it in PATH may be a slow wrapper
[ -x $python ] || python=python3

server_bin() { # Debian's newest version, else the one that pg_config knows
	local bin best=
	for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V); do
		[ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && best=$bin
	done
	if [ -z "$best" ]; then
		bin=$(pg_config --bindir 2>/dev/null || true)
		[ -n "$bin" ] && [ -x "$bin/initdb" ] && best=$bin
	fi
	[ -n "$best" ] || die "PostgreSQL's server programs are not installed"
	echo "$best"
}

as_server() { # runs a command as the user that the server runs as
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u postgres -- "$@")
	else
		(cd / && "$@")
	fi
}

free_port() { # below the ephemeral range, so that no outgoing connection takes it between two starts
	"$python" - <<-'P'
		import random, socket
		for _ in range(200):
		    port = random.randint(20000, 31999)
		    with socket.socket() as s:
		        try:
		            s.bind(("127.0.0.1", port))
		        except OSError:
		            continue
		    print(port)
		    break
	P
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

place() { # sets base (where data lies), data, sockets
	if [ -s "$folder/base" ]; then
		base=$(cat "$folder/base")
	else
		base=$folder
		if [ "$(id -u)" = 0 ]; then
			chmod 0711 "$folder"
			if ! as_server test -x "$folder"; then
				base=/var/lib/vault-dev/$(printf %s "$folder" | sha256sum | cut -c1-16)
				mkdir -p "$base"
			fi
		fi
	fi
	data=$base/data
	sockets=$base/socket
	# The name of a unix socket has at most 107 bytes.
	if [ $((${#sockets} + 21)) -gt 107 ]; then
		if [ -s "$folder/socket_folder" ] && [ -d "$(cat "$folder/socket_folder")" ]; then
			sockets=$(cat "$folder/socket_folder")
		else
			sockets=''
		fi
	fi
}

random_word() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

own() { [ "$(id -u)" != 0 ] || chown postgres: "$@"; }

make_sockets() {
	if [ -z "$sockets" ]; then
		sockets=$(mktemp -d /tmp/vault-pg.XXXXXX)
		echo "$sockets" >"$folder/socket_folder"
	fi
	mkdir -p "$sockets"
	own "$sockets"
	chmod 0700 "$sockets" # root and the server's own user; passwords are asked for all the same
}

make_data() {
	local passwords word_super word_owner word_service
	[ "$base" = "$folder" ] || echo "$base" >"$folder/base"
	word_super=$(random_word) word_owner=$(random_word) word_service=$(random_word)
	passwords=$folder/passfile
	(umask 077 && cat >"$passwords") <<-P
		*:*:*:postgres:$word_super
		*:*:*:vault_owner:$word_owner
		*:*:*:vault_service:$word_service
	P
	rm -rf "$data.new"
	mkdir -p "$data.new"
	chmod 0700 "$data.new"
	(umask 077 && echo "$word_super" >"$base/superuser")
	own "$data.new" "$base/superuser"
	as_server "$bin/initdb" -D "$data.new" -U postgres --pwfile="$base/superuser" --auth=scram-sha-256 \
		--data-checksums --encoding=UTF8 --locale=C.UTF-8 >"$folder/initdb.log" 2>&1 || { tail -5 "$folder/initdb.log" >&2; die "initdb failed"; }
	rm -f "$base/superuser"
	(umask 077 && cat >"$folder/roles.sql") <<-P
		CREATE ROLE vault_owner LOGIN PASSWORD '$word_owner';
		CREATE ROLE vault_service LOGIN PASSWORD '$word_service';
		CREATE DATABASE vault OWNER vault_owner;
		REVOKE ALL ON DATABASE vault FROM PUBLIC;
		GRANT CONNECT ON DATABASE vault TO vault_service;
	P
	# Only a complete cluster gets its name: an interrupted start begins anew.
	mv "$data.new" "$data"
}

configure() {
	cat >"$base/conf.new" <<-P
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = '${sockets//\'/\'\'}'
		max_connections = 50
		shared_buffers = 128MB
		fsync = on
		full_page_writes = on
		synchronous_commit = on
		max_wal_size = 1GB
		checkpoint_completion_target = 0.9
		random_page_cost = 1.1
		password_encryption = scram-sha-256
		ssl = off
		log_destination = stderr
		log_line_prefix = '%m [%p] '
		log_statement = none
		log_parameter_max_length = 0
		log_parameter_max_length_on_error = 0
		timezone = UTC
	P
	own "$base/conf.new"
	mv "$base/conf.new" "$data/postgresql.conf"
}

quoted() { # a value in a libpq connection string
	local v=${1//\\/\\\\}
	echo "'${v//\'/\\\'}'"
}

write_env() {
	local at pass
	pass="passfile=$(quoted "$folder/passfile")"
	at="host=$(quoted "$sockets") port=$port dbname=vault"
	(umask 077 && cat >"$folder/env.new") <<-P
		DATABASE_URL="$at user=vault_service $pass"
		MIGRATE_URL="$at user=vault_owner $pass"
		SUPERUSER_URL="$at user=postgres $pass"
		TCP_DATABASE_URL="host=127.0.0.1 port=$port dbname=vault user=vault_service $pass"
		PG_PORT="$port"
		PG_DATA="$data"
		PG_SOCKET="$sockets"
		PG_BIN="$bin"
	P
	mv "$folder/env.new" "$folder/env"
}

launch() { # a server killed the hard way may leave workers for a moment, which a new one must wait for
	local attempt
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		if as_server "$bin/pg_ctl" start -s -w -t 60 -D "$data" -l "$base/log" >"$folder/start.log" 2>&1; then
			return 0
		fi
		running && return 0
		grep -q 'pre-existing shared memory\|lock file' "$base/log" 2>/dev/null || break
		sleep 0.5
	done
	tail -5 "$base/log" >&2 || true
	die "PostgreSQL does not start; its log is $base/log (tried $attempt times)"
}

running() { # asks /proc, not pg_ctl: a server killed the hard way is a zombie until its parent looks, which pg_ctl takes for alive
	local pid state
	pid=$(head -1 "$data/postmaster.pid" 2>/dev/null) && [ -n "$pid" ] || return 1
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null || true)
	if [ "$state" = Z ]; then # a new server would take it for alive, too
		rm -f "$data/postmaster.pid"
		return 1
	fi
	# The number may belong to another program after a crash; the server's working folder is its data.
	[ "$(readlink "/proc/$pid/cwd" 2>/dev/null || true)" = "$(readlink -f "$data")" ]
}

superuser() { PGPASSFILE=$folder/passfile "$bin/psql" -XqAt -v ON_ERROR_STOP=1 -h "$sockets" -p "$port" -U postgres "$@"; }

start() {
	if running; then
		[ -s "$folder/env" ] || die "it runs but $folder/env is gone; stop it first"
		return 0
	fi
	[ -d "$data" ] || make_data
	make_sockets
	port=$(sed -n 's/^PG_PORT="\(.*\)"/\1/p' "$folder/env" 2>/dev/null || true)
	if [ -z "$port" ] || ! port_is_free "$port"; then
		port=$(free_port)
	fi
	configure
	: >>"$base/log"
	own "$base/log"
	chmod 0640 "$base/log"
	launch
	if [ -s "$folder/roles.sql" ]; then
		superuser -d postgres -f "$folder/roles.sql" >/dev/null
		rm -f "$folder/roles.sql"
	fi
	write_env
}

stop() {
	local pid deadline
	if running; then
		pid=$(head -1 "$data/postmaster.pid")
		kill -INT "$pid" # a fast stop
		deadline=$((SECONDS + 60))
		while running; do
			[ "$SECONDS" -lt "$deadline" ] || die "PostgreSQL (process $pid) did not stop within 60 s"
			sleep 0.05
		done
	fi
	if [ -s "$folder/socket_folder" ]; then
		rm -rf "$(cat "$folder/socket_folder")"
		rm -f "$folder/socket_folder"
	fi
}

remove() {
	stop
	[ "$base" = "$folder" ] || rm -rf "$base"
	rm -rf "$folder"
}

bin=$(server_bin)
place
case $command in
start) start ;;
stop) stop ;;
status) running ;;
remove) remove ;;
*) die "unknown command '$command'" ;;
esac
