#!/usr/bin/env bash
# scripts/need.sh build|test|bench|overload|sync
# Installs what is missing for that purpose from Debian's packages (the load generator of `overload` with cargo), and says
# so. What is there stays as it is.
set -euo pipefail

purpose=${1:?usage: scripts/need.sh build|test|bench|overload|sync}
missing=()

need() { # need PACKAGES TEST…  : the packages are missing when the test fails
    local packages=$1
    shift
    # shellcheck disable=SC2206 # several packages in one word
    "$@" >/dev/null 2>&1 || missing+=($packages)
}

compiles_c() { printf '#include <stdio.h>\nint main(void) { return 0; }\n' | cc -x c - -o /dev/null; }
# ensurepip is the half that Debian splits off into python3-venv.
makes_venvs() { python3 -c 'import ensurepip, venv'; }
# A domain controller starts without some of these, and then can't make a domain.
has_samba_dc() {
    local file
    for file in /usr/sbin/samba /usr/sbin/winbindd /usr/bin/samba-tool /usr/bin/ldbadd /usr/share/samba/setup/provision.ldif \
        /usr/lib/*/samba/ldb/samldb.so /usr/lib/*/samba/vfs/acl_xattr.so; do
        test -e "$file" || return
    done
    /usr/bin/python3 -c 'import samba'
}
has_simplesamlphp() {
    test -e /usr/share/simplesamlphp/www/saml2/idp/SSOService.php &&
        php -r 'foreach (["curl", "dom", "mbstring", "openssl"] as $name) { extension_loaded($name) || exit(1); }'
}
# Without some of what its OpenID Connect calls, it says no more than "Initialization failed".
has_lemonldap() {
    test -d /usr/share/lemonldap-ng/portal && command -v plackup &&
        perl -e 'require Lemonldap::NG::Portal::Main; require $_ for qw(Image/Magick.pm GD/SecurityImage.pm String/Random.pm IO/String.pm Unicode/String.pm)'
}
has_chromium() { command -v chromium && command -v chromedriver; }
has_postgres_15() { test -x /usr/lib/postgresql/15/bin/initdb; }

if ! command -v cargo >/dev/null; then
    echo "Rust is missing: install it with rustup, then run this again." >&2
    exit 1
fi

# SQLite and the cryptography of TLS are C, compiled into the binary.
need "gcc libc6-dev" compiles_c
# XML signatures: libxmlsec1 over libxml2 and OpenSSL, found by pkg-config and xmlsec1-config, bound by bindgen (libclang).
compiles_xmlsec() {
    # shellcheck disable=SC2046 # several flags in one word
    printf '#include <xmlsec/xmlsec.h>\n#include <openssl/evp.h>\nint main(void) { return 0; }\n' |
        cc -x c - -o /dev/null $(pkg-config --cflags --libs xmlsec1 openssl)
}
has_clang() { command -v clang && ls /usr/lib/llvm-*/lib/libclang.so*; }
need "pkg-config libxml2-dev libxmlsec1-dev libxslt1-dev libssl-dev" compiles_xmlsec
need "clang libclang-dev" has_clang
# What `make run` prints to try it is a curl line.
need "curl" command -v curl
case $purpose in
    build) ;;
    test)
        need "python3 python3-venv" makes_venvs
        need "postgresql-15" has_postgres_15
        need "pgbouncer" test -x /usr/sbin/pgbouncer
        # The directory, and what changes it and makes its certificates.
        need "slapd" test -x /usr/sbin/slapd
        need "ldap-utils" command -v ldapmodify
        # The domain controller that stands in for Active Directory.
        need "samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind ldb-tools python3-samba" has_samba_dc
        need "openssl" command -v openssl
        # Identity providers that people log in at, a browser to do it with, and what moves it.
        need "simplesamlphp php-cli php-xml php-mbstring php-curl" has_simplesamlphp
        need "xmlsec1" command -v xmlsec1
        need "glewlwyd" command -v glewlwyd
        need "sqlite3" command -v sqlite3
        need "lemonldap-ng libplack-perl perlmagick libgd-securityimage-perl libstring-random-perl libio-string-perl libunicode-string-perl" has_lemonldap
        # An application that people log in to.
        need "apache2-bin" test -x /usr/sbin/apache2
        need "libapache2-mod-auth-openidc" test -e /usr/lib/apache2/modules/mod_auth_openidc.so
        need "nodejs" command -v node
        need "npm" command -v npm
        need "chromium chromium-driver" has_chromium
        # libFuzzer is C++, built with the fuzz targets.
        need "g++" command -v c++
        ;;
    bench | overload)
        need "python3" python3 --version
        need "postgresql-15" has_postgres_15
        need "wrk" command -v wrk
        ;;
    sync)
        need "python3" python3 --version
        need "postgresql-15" has_postgres_15
        need "slapd" test -x /usr/sbin/slapd
        need "ldap-utils" command -v ldapsearch
        ;;
    *)
        echo "need.sh: '$purpose' is none of build, test, bench, overload, sync" >&2
        exit 2
        ;;
esac

# Debian has no generator that keeps a rate while answers are late and takes a body from a list.
oha=1.16.0
if [ "$purpose" = overload ] && ! command -v oha >/dev/null; then
    echo "Missing for an overload, building with cargo: oha $oha"
    cargo install --quiet --locked "oha@$oha"
fi

[ ${#missing[@]} -eq 0 ] && exit 0

echo "Missing for 'make $purpose', installing from Debian: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    echo "There is no apt-get here. Install the like of these packages yourself, then run this again." >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Neither root nor sudo: run as root: apt-get install ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
fi
# The programs are wanted, not their services: slapd's would hold port 389 of every address, Samba's 445.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "${missing[@]}"
