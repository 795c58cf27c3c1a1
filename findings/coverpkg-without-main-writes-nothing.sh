#!/bin/sh
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Go 1.26.8: a program built with `go build -cover -coverpkg=LIBRARY` writes no coverage data at all, if the patterns
# leave its main package out. It ends with 0 and says nothing, with GOCOVERDIR set and without it (an instrumented
# program warns there), and `go version -m` says -cover=true of it.
# The guess was: the packages that were asked for are counted, and main is not.
# Seen: no file in GOCOVERDIR; with main named too, one covmeta and one covcounters.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GOTOOLCHAIN=go1.26.8 GOFLAGS= GOWORK=off
cd "$folder"
[ "$(go env GOVERSION)" = go1.26.8 ] || { echo "this needs Go 1.26.8"; exit 2; }
mkdir lib without with
printf 'module example.com/narrow\n\ngo 1.26\n' > go.mod
printf 'package lib\n\nfunc Two() int { return 2 }\n' > lib/lib.go
printf 'package main\n\nimport "example.com/narrow/lib"\n\nfunc main() { println(lib.Two()) }\n' > main.go

go build -cover -coverpkg=example.com/narrow/lib -o program-without .
go build -cover -coverpkg=example.com/narrow/lib,example.com/narrow -o program-with .
GOCOVERDIR=$folder/without ./program-without 2> without.txt
GOCOVERDIR=$folder/with ./program-with 2> with.txt
env -u GOCOVERDIR ./program-without 2> unset.txt
claim=$(go version -m program-without | grep -c -- '-cover=true')

echo "without main: $(ls without | wc -l) files, it printed: $(cat without.txt)"
echo "with main: $(ls with | wc -l) files"
[ "$(ls without | wc -l)" -eq 0 ]
[ "$(ls with | wc -l)" -eq 2 ]
[ "$(cat without.txt)" = 2 ] && [ "$(cat unset.txt)" = 2 ]
[ "$claim" -eq 1 ]
echo "as described"
