#!/bin/sh
# Makes a development PKI: certs/dev-ca.sh [FOLDER], by default certs/dev.
#
# For development and tests only: the CA's key lies beside its certificates.
# What is there and valid for another seven days is kept, so a second run
# changes and prints nothing. Certificates are EC P-256 with one SPIFFE ID
# each. certs/README.md says what each file is for.
set -eu
umask 077

folder=${1:-$(dirname "$0")/dev}
domain=crm.example
services="crm-core service-desk campaigns segmentation loyalty surveys analytics security admin stranger"
persons="compliance-1 compliance-2"

mkdir -p "$folder/bundles"
cd "$folder"
# Two runs at once must not mix their keys.
exec 9>.lock
flock 9
work=$(mktemp -d .new.XXXXXX)
trap 'rm -rf "$work"' EXIT

later=$(($(date +%s) + 7 * 24 * 3600))

# valid CA NAME...: each pair is there, was issued by that CA, and still holds in seven days.
valid() {
	ca=$1
	shift
	for name; do
		[ -s "$name.pem" ] && [ -s "$name.key" ] || return 1
	done
	# shellcheck disable=SC2046 # names have no spaces
	openssl verify -CAfile "$ca.pem" -attime $later $(printf '%s.pem ' "$@") >/dev/null 2>&1
}

# make NAME SUBJECT EXTENSIONS DAYS [CA]: a fresh key and its certificate. The
# certificate goes first and comes last, so that where one is, its key fits.
make() {
	{
		printf '[req]\ndistinguished_name=dn\nprompt=no\nx509_extensions=ext\n'
		printf '[dn]\nO=CRM development\nCN=%s\n[ext]\n' "$2"
		printf '%b' "$3"
	} >"$work/conf"
	# The reason of a failure goes to standard error; key generation itself is silent.
	openssl req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -sha256 -days "$4" \
		-config "$work/conf" ${5:+-CA "$5.pem" -CAkey "$5.key"} -keyout "$work/key" -out "$work/pem" 2>"$work/err" ||
		{ cat "$work/err" >&2; return 1; }
	rm -f "$1.pem"
	mv "$work/key" "$1.key"
	chmod 644 "$work/pem"
	mv "$work/pem" "$1.pem"
	echo "made $folder/$1.pem"
}

ca_extensions='basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
leaf_extensions='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\n'

# leaf NAME USAGE NAMES [CA]
leaf() {
	valid "${4:-ca}" "$1" || make "$1" "$1" "${leaf_extensions}extendedKeyUsage=$2\nsubjectAltName=$3\n" 365 "${4:-ca}"
}

# shellcheck disable=SC2086 # lists of names
if ! valid ca ca server $services $persons; then
	valid ca ca || make ca "$domain development CA" "$ca_extensions" 3650
	leaf server serverAuth "DNS:localhost,IP:127.0.0.1,IP:::1,URI:spiffe://$domain/svc/server"
	for name in $services; do
		leaf "$name" clientAuth "URI:spiffe://$domain/svc/$name"
	done
	for name in $persons; do
		leaf "$name" clientAuth "URI:spiffe://$domain/person/$name"
	done
fi

# The impostor: another CA that claims an identity of our trust domain.
if ! valid foreign-ca foreign-ca foreign; then
	make foreign-ca "foreign CA" "$ca_extensions" 3650
	leaf foreign clientAuth "URI:spiffe://$domain/svc/crm-core" foreign-ca
fi

if ! cmp -s ca.pem "bundles/$domain.pem"; then
	cp ca.pem "$work/bundle"
	chmod 644 "$work/bundle"
	mv "$work/bundle" "bundles/$domain.pem"
fi
chmod 755 . bundles
