// Copyright (c) 2026, the kubernaut.coverage authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

// lease is a Lease that whoever comes first holds, with the API as it is: no client library.
type lease struct {
	name, space, token string
	client             *http.Client
	mine               atomic.Bool
}

var leader *lease

func newLease(name string) *lease {
	token, err := os.ReadFile(account + "token")
	check("read the token", err)
	space, err := os.ReadFile(account + "namespace")
	check("read the namespace", err)
	authority, err := os.ReadFile(account + "ca.crt")
	check("read the authority", err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	found := &lease{name: name, space: string(space), token: strings.TrimSpace(string(token)), client: &http.Client{Transport: transport}}
	check("get the lease", found.try())
	go func() {
		for range time.Tick(time.Second) {
			if err := found.try(); err != nil {
				fmt.Fprintln(os.Stderr, "error retrieving the lease:", err)
			}
		}
	}()
	return found
}

func (l *lease) holds() bool { return l.mine.Load() }

// try makes the lease, or finds out who holds it.
func (l *lease) try() error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	body := map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{"name": l.name}, "spec": map[string]any{"holderIdentity": host + "_1"},
	}
	status, answer, err := l.ask(http.MethodPost, "", body)
	if err != nil {
		return err
	}
	if status == http.StatusConflict {
		if status, answer, err = l.ask(http.MethodGet, "/"+l.name, nil); err != nil {
			return err
		}
	}
	if status >= 300 {
		var said struct{ Message string }
		_ = json.Unmarshal(answer, &said)
		return fmt.Errorf("%s", said.Message)
	}
	var found struct {
		Spec struct {
			HolderIdentity string `json:"holderIdentity"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return err
	}
	if !l.mine.Swap(strings.HasPrefix(found.Spec.HolderIdentity, host)) && !l.mine.Load() {
		fmt.Fprintln(os.Stderr, "attempting to acquire leader lease", l.space+"/"+l.name)
	}
	return nil
}

func (l *lease) ask(method, path string, body any) (int, []byte, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	url := "https://kubernetes.default.svc/apis/coordination.k8s.io/v1/namespaces/" + l.space + "/leases" + path
	request, err := http.NewRequest(method, url, bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+l.token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := l.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	return answer.StatusCode, read, err
}
