// Copyright (c) 2026, the kubernaut.coverage authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

//go:build second

package main

import (
	"fmt"
	"os"
)

// another build of the same program: its source has more in it
func init() {
	fmt.Fprintln(os.Stderr, "second build")
}
