#!/bin/sh
# Installs a release of tsmigrate for whoever runs it, without root:
#
#   curl --proto '=https' --tlsv1.2 -LsSf https://github.com/OWNER/tsmigrate/releases/latest/download/install.sh | sh
#
#   TSMIGRATE_VERSION   a release, such as v0.1.0, in place of the newest
#   TSMIGRATE_TO        where the program goes, in place of ~/.local/bin
#   TSMIGRATE_FROM      where releases are: an address that curl reads
#
# The archive's checksum is compared with the release's. Who built it, its attestation tells: gh attestation verify.
set -eu

fail() {
    printf 'error: %s\n' "$1" >&2
    [ -z "${2-}" ] || printf '  next: %s\n' "$2" >&2
    exit 2
}

# All of it is read before anything runs: a download that is cut off does nothing.
main() {
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) target=x86_64-unknown-linux-musl ;;
        Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
        Darwin-x86_64) target=x86_64-apple-darwin ;;
        Darwin-arm64) target=aarch64-apple-darwin ;;
        *) fail "there is no tsmigrate for $(uname -s) on $(uname -m)" "check dumps with the npm package tsmigrate-analyzer" ;;
    esac
    from=${TSMIGRATE_FROM:-https://github.com/OWNER/tsmigrate/releases}
    if [ -n "${TSMIGRATE_VERSION-}" ]; then from=$from/download/$TSMIGRATE_VERSION; else from=$from/latest/download; fi
    to=${TSMIGRATE_TO:-${HOME:?}/.local/bin}
    command -v curl >/dev/null || fail "curl is missing" "install it, or unpack the archive of a release by hand"
    command -v tar >/dev/null || fail "tar is missing"

    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 2' HUP INT TERM
    archive=tsmigrate-$target.tar.gz
    for file in "$archive" SHA256SUMS; do
        curl --proto '=https,file' --tlsv1.2 -LsSf -o "$folder/$file" "$from/$file" || fail "$from/$file cannot be downloaded"
    done
    wanted=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$archive\$/\1/p" "$folder/SHA256SUMS")
    if command -v sha256sum >/dev/null; then
        found=$(sha256sum "$folder/$archive")
    else
        found=$(shasum -a 256 "$folder/$archive")
    fi
    if [ -z "$wanted" ] || [ "${found%% *}" != "$wanted" ]; then
        fail "$archive is not the file that the release's checksums are of" "download it again; nothing was installed"
    fi

    tar -xzf "$folder/$archive" -C "$folder"
    mkdir -p "$to"
    # It takes its place as a whole, also where an older one is running.
    cp "$folder/tsmigrate-$target/tsmigrate" "$to/.tsmigrate.new"
    chmod 755 "$to/.tsmigrate.new"
    mv -f "$to/.tsmigrate.new" "$to/tsmigrate"
    "$to/tsmigrate" --version >/dev/null || fail "$to/tsmigrate does not start"
    echo "installed $("$to/tsmigrate" --version): $to/tsmigrate"
    case :$PATH: in
        *":$to:"*) ;;
        *) echo "next: add $to to PATH" ;;
    esac
}

main
