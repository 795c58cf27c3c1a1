// Copyright (c) 2026, the kubernaut.coverage authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Package httpbin holds end-to-end tests of go-httpbin: real requests to the running service, and nothing of its code.
package httpbin

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

var client = &http.Client{
	Timeout: 10 * time.Second,
	// redirects are themselves what some tests look at
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func baseURL(t *testing.T) string {
	t.Helper()
	base := os.Getenv("E2E_BASE_URL")
	if base == "" {
		t.Fatal("E2E_BASE_URL is not set: it is the address of the service, such as http://127.0.0.1:38080")
	}
	return strings.TrimRight(base, "/")
}

// call sends a request and returns the response with its body read.
func call(t *testing.T, method, path string, body io.Reader, headers map[string]string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequest(method, baseURL(t)+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: read the body: %v", method, path, err)
	}
	return response, content
}

// decode returns the JSON object of a body.
func decode(t *testing.T, content []byte) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal(content, &object); err != nil {
		t.Fatalf("not a JSON object: %v\n%s", err, content)
	}
	return object
}

func TestStatusAndType(t *testing.T) {
	for _, route := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html"},
		{"GET", "/html", 200, "text/html"},
		{"GET", "/xml", 200, "application/xml"},
		{"GET", "/json", 200, "application/json"},
		{"GET", "/robots.txt", 200, "text/plain"},
		{"GET", "/deny", 200, "text/plain"},
		{"GET", "/encoding/utf8", 200, "text/html"},
		{"GET", "/forms/post", 200, "text/html"},
		{"GET", "/image/png", 200, "image/png"},
		{"GET", "/image/svg", 200, "image/svg+xml"},
		{"GET", "/uuid", 200, "application/json"},
		{"GET", "/status/204", 204, ""},
		{"GET", "/status/404", 404, ""},
		{"GET", "/status/418", 418, ""},
		{"GET", "/status/not-a-number", 400, ""},
		{"HEAD", "/head", 200, "application/json"},
		{"GET", "/no-such-route", 404, ""},
	} {
		t.Run(route.method+" "+route.path, func(t *testing.T) {
			response, _ := call(t, route.method, route.path, nil, nil)
			if response.StatusCode != route.status {
				t.Errorf("status %d, expected %d", response.StatusCode, route.status)
			}
			if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, route.contentType) {
				t.Errorf("content type %q, expected %q", got, route.contentType)
			}
		})
	}
}

func TestGetEchoesArgumentsAndHeaders(t *testing.T) {
	_, content := call(t, "GET", "/get?colour=blue&colour=green", nil, map[string]string{"X-Trace": "42"})
	answer := decode(t, content)
	if got := fmt.Sprint(answer["args"].(map[string]any)["colour"]); got != "[blue green]" {
		t.Errorf("args.colour is %s", got)
	}
	if got := fmt.Sprint(answer["headers"].(map[string]any)["X-Trace"]); got != "[42]" {
		t.Errorf("headers.X-Trace is %s", got)
	}
}

func TestBodiesAreEchoed(t *testing.T) {
	for method, path := range map[string]string{
		"POST": "/post", "PUT": "/put", "PATCH": "/patch", "DELETE": "/delete",
	} {
		t.Run(method, func(t *testing.T) {
			response, content := call(t, method, path, strings.NewReader(`{"name":"cover"}`),
				map[string]string{"Content-Type": "application/json"})
			if response.StatusCode != 200 {
				t.Fatalf("status %d", response.StatusCode)
			}
			if got := fmt.Sprint(decode(t, content)["json"]); got != "map[name:cover]" {
				t.Errorf("json is %s", got)
			}
		})
	}
}

func TestFormsAreParsed(t *testing.T) {
	form := url.Values{"size": {"large"}, "topping": {"bacon", "cheese"}}
	_, content := call(t, "POST", "/post", strings.NewReader(form.Encode()),
		map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
	if got := fmt.Sprint(decode(t, content)["form"].(map[string]any)["topping"]); got != "[bacon cheese]" {
		t.Errorf("form.topping is %s", got)
	}
}

func TestAnything(t *testing.T) {
	_, content := call(t, "TRACE", "/anything/goes", nil, nil)
	if got := decode(t, content)["method"]; got != "TRACE" {
		t.Errorf("method is %v", got)
	}
}

func TestHeadersAndAgent(t *testing.T) {
	_, content := call(t, "GET", "/headers", nil, map[string]string{"X-One": "1"})
	if !bytes.Contains(content, []byte(`"X-One"`)) {
		t.Errorf("the header is not echoed: %s", content)
	}
	_, content = call(t, "GET", "/user-agent", nil, map[string]string{"User-Agent": "e2e/1"})
	if got := decode(t, content)["user-agent"]; got != "e2e/1" {
		t.Errorf("user-agent is %v", got)
	}
	_, content = call(t, "GET", "/ip", nil, nil)
	if decode(t, content)["origin"] == "" {
		t.Error("no origin")
	}
}

func TestAuthentication(t *testing.T) {
	response, _ := call(t, "GET", "/basic-auth/user/secret", nil, nil)
	if response.StatusCode != 401 || response.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("without credentials: status %d", response.StatusCode)
	}
	request, _ := http.NewRequest("GET", baseURL(t)+"/basic-auth/user/secret", nil)
	request.SetBasicAuth("user", "secret")
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != 200 {
		t.Errorf("with credentials: status %d", answer.StatusCode)
	}
	response, _ = call(t, "GET", "/bearer", nil, map[string]string{"Authorization": "Bearer token"})
	if response.StatusCode != 200 {
		t.Errorf("bearer: status %d", response.StatusCode)
	}
	response, _ = call(t, "GET", "/hidden-basic-auth/user/secret", nil, nil)
	if response.StatusCode != 404 {
		t.Errorf("hidden: status %d", response.StatusCode)
	}
}

func TestRedirects(t *testing.T) {
	for path, target := range map[string]string{
		"/redirect/2":                  "/relative-redirect/1",
		"/relative-redirect/1":         "/get",
		"/redirect-to?url=/status/200": "/status/200",
	} {
		response, _ := call(t, "GET", path, nil, nil)
		if response.StatusCode != 302 || !strings.HasSuffix(response.Header.Get("Location"), target) {
			t.Errorf("%s: status %d to %q", path, response.StatusCode, response.Header.Get("Location"))
		}
	}
	response, _ := call(t, "GET", "/absolute-redirect/1", nil, nil)
	if !strings.HasPrefix(response.Header.Get("Location"), "http://") {
		t.Errorf("the location is not absolute: %q", response.Header.Get("Location"))
	}
}

func TestCookies(t *testing.T) {
	response, _ := call(t, "GET", "/cookies/set?flavour=oat", nil, nil)
	if cookies := response.Cookies(); len(cookies) != 1 || cookies[0].Value != "oat" {
		t.Errorf("cookies are %v", cookies)
	}
	_, content := call(t, "GET", "/cookies", nil, map[string]string{"Cookie": "flavour=oat"})
	if !bytes.Contains(content, []byte("oat")) {
		t.Errorf("the cookie is not echoed: %s", content)
	}
}

func TestCaching(t *testing.T) {
	response, _ := call(t, "GET", "/cache", nil, map[string]string{"If-None-Match": "any"})
	if response.StatusCode != 304 {
		t.Errorf("/cache: status %d", response.StatusCode)
	}
	response, _ = call(t, "GET", "/cache/60", nil, nil)
	if got := response.Header.Get("Cache-Control"); !strings.Contains(got, "max-age=60") {
		t.Errorf("/cache/60: %q", got)
	}
	response, _ = call(t, "GET", "/etag/abc", nil, map[string]string{"If-None-Match": `"abc"`})
	if response.StatusCode != 304 {
		t.Errorf("/etag: status %d", response.StatusCode)
	}
}

func TestEncodings(t *testing.T) {
	response, content := call(t, "GET", "/gzip", nil, map[string]string{"Accept-Encoding": "gzip"})
	if response.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("content encoding %q", response.Header.Get("Content-Encoding"))
	}
	reader, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	if decode(t, plain)["gzipped"] != true {
		t.Errorf("gzipped is missing: %s", plain)
	}
	_, content = call(t, "GET", "/base64/aGVsbG8=", nil, nil)
	if string(content) != "hello" {
		t.Errorf("base64: %q", content)
	}
}

func TestAmounts(t *testing.T) {
	_, content := call(t, "GET", "/bytes/1024?seed=1", nil, nil)
	if len(content) != 1024 {
		t.Errorf("/bytes: %d bytes", len(content))
	}
	_, content = call(t, "GET", "/stream/3", nil, nil)
	if lines := bytes.Count(bytes.TrimSpace(content), []byte("\n")) + 1; lines != 3 {
		t.Errorf("/stream: %d lines", lines)
	}
	response, content := call(t, "GET", "/range/100", nil, map[string]string{"Range": "bytes=10-19"})
	if response.StatusCode != 206 || len(content) != 10 {
		t.Errorf("/range: status %d, %d bytes", response.StatusCode, len(content))
	}
	response, _ = call(t, "GET", "/links/3/1", nil, nil)
	if response.StatusCode != 200 {
		t.Errorf("/links: status %d", response.StatusCode)
	}
}

func TestDelayIsKept(t *testing.T) {
	started := time.Now()
	call(t, "GET", "/delay/100ms", nil, nil)
	if passed := time.Since(started); passed < 100*time.Millisecond {
		t.Errorf("answered after %s", passed)
	}
}

func TestResponseHeaders(t *testing.T) {
	response, _ := call(t, "GET", "/response-headers?X-Wanted=yes", nil, nil)
	if response.Header.Get("X-Wanted") != "yes" {
		t.Errorf("headers are %v", response.Header)
	}
}
