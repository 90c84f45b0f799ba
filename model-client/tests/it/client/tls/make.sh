#!/bin/sh
# Creates the certificates of the tests: a CA, and server certificates of it that are good, expired, and for another host.
set -eu
cd "$(dirname "$0")"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 36500 -subj "/CN=Test CA" 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj "/CN=Test server" 2>/dev/null
sign() { # NAME HOST FROM UNTIL
	printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$2" >ext
	touch index.txt; echo 01 >serial
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n' >conf
	openssl ca -batch -config conf -cert ca.pem -keyfile ca.key -in server.csr -out "$1.pem" -extfile ext -startdate "$3" -enddate "$4" -notext 2>/dev/null
	rm -f ext index.txt* serial* conf 01.pem
}
sign good localhost 20260101000000Z 21260101000000Z
sign expired localhost 20250101000000Z 20260101000000Z
sign other_host other.example 20260101000000Z 21260101000000Z
rm -f ca.key server.csr
