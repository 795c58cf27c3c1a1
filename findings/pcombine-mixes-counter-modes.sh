#!/bin/sh
# Copyright (c) 2026, the kubernaut.coverage authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Go 1.26.8: `go tool covdata merge -pcombine` joins data of the counter modes set and count: it ends with 0, says
# nothing, calls the result `count` and adds the ones of mode set to real counts. `go tool covdata textfmt` refuses the
# same two folders, with "counter mode clash".
# The guess was: both refuse.
# Seen: a block that ran 10 times in mode count, and in mode set too, has the count 11.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export GOTOOLCHAIN=go1.26.8 GOFLAGS= GOWORK=off
cd "$folder"
[ "$(go env GOVERSION)" = go1.26.8 ] || { echo "this needs Go 1.26.8"; exit 2; }
mkdir set count joined
printf 'module example.com/modes\n\ngo 1.26\n' > go.mod
cat > main.go <<'GO'
package main

func main() {
	for i := 0; i < 10; i++ {
		println(i)
	}
}
GO
for mode in set count; do
  go build -cover -covermode=$mode -o program-$mode .
  GOCOVERDIR=$folder/$mode ./program-$mode 2> /dev/null
done
go tool covdata merge -pcombine -i=set,count -o=joined > merge.txt 2>&1
go tool covdata textfmt -i=joined -o=joined.txt
if go tool covdata textfmt -i=set,count -o=refused.txt > refused.log 2>&1; then
  echo "textfmt took both modes"
  exit 1
fi
cat joined.txt refused.log
[ ! -s merge.txt ]
[ "$(head -n 1 joined.txt)" = "mode: count" ]
grep -q ' 11$' joined.txt
grep -q 'counter mode clash' refused.log
echo "as described"
