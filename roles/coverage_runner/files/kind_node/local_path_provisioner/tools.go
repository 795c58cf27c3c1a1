// SPDX-License-Identifier: GPL-3.0-or-later

//go:build tools

// Names the program, so that go.mod and go.sum pin everything it is made of.
package tools

import _ "github.com/rancher/local-path-provisioner"
