// Copyright (c) 2026, the kubernaut.coverage authors
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// A service that goes wrong in the way its flags say, for the fault library.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	_ "github.com/lib/pq"
)

var (
	listen     = flag.String("listen", ":8080", "address to serve")
	say        = flag.String("say", "", "a line for the log")
	config     = flag.String("config", "", "a JSON file without which it does not start")
	need       = flag.String("need", "", "a variable without which it does not start")
	dialAfter  = flag.Duration("dial-after", 0, "work this long before it connects to anything")
	startAfter = flag.Duration("start-after", 0, "work this long before it listens")
	readyAfter = flag.Duration("ready-after", 0, "answer /ready with 503 until then")
	status     = flag.Int("status", http.StatusOK, "what /ready answers after that")
	thinkFor   = flag.Duration("think-for", 0, "take this long for every answer")
	exit       = flag.Int("exit", -1, "exit with this code")
	exitAfter  = flag.Duration("exit-after", 0, "and wait before")
	exitOnce   = flag.String("exit-once", "", "and only if this file is not there yet; it is made")
	crash      = flag.Bool("panic", false, "use a map that was never made")
	eat        = flag.Int("eat", 0, "take this many MiB of memory")
	eatAfter   = flag.Duration("eat-after", 0, "and wait before")
	postgres   = flag.String("postgres", "", "a database without which it does not start")
	redis      = flag.String("redis", "", "an address without which it does not start")
	await      = flag.String("await", "", "an address without which it is not ready; it asks again and again")
	onTerm     = flag.String("on-term", "return", "what SIGTERM does: return, nothing, default, panic")
	stopAfter  = flag.Duration("stop-after", 0, "work this long after SIGTERM")
	wrap       = flag.Bool("wrap", false, "run as a child of a program that passes no signal on")
	reject     = flag.String("reject", "", "serve an admission webhook that rejects every pod for this reason")
	registry   = flag.Bool("registry", false, "serve a registry that wants a login for everything")
	early      = flag.String("early", "", "an address where metrics and /ready are served from the first moment")
	retry      = flag.String("retry", "", "an address that it dials again and again before it goes on, with a line for each failure")
	unless     = flag.String("unless", "", "exit only as long as nothing listens at this address")
	standby    = flag.String("standby", "", "name of a lease: not ready unless it holds it")
	body       = flag.String("body", "", "what /ready says where its status is not 200")
	absentFor  = flag.Duration("absent-for", 0, "answer /ready with 404 until then")
	write      = flag.String("write", "", "a file that it writes when it starts")
	number     = flag.String("number", "", "a variable that has to be a number")
	zone       = flag.String("zone", "", "a time zone without which it does not start")
	openFiles  = flag.Uint64("open-files", 0, "open files until this limit is reached, before it listens")
	address    = flag.String("address", "", "a variable with a URL that it asks before it listens")
	tlsFolder  = flag.String("tls", "/tls", "the webhook's tls.crt and tls.key")
)

func main() {
	flag.Parse()
	switch {
	case *wrap:
		os.Exit(child())
	case *registry:
		http.HandleFunc("/", login)
		check("serve", http.ListenAndServe(*listen, nil))
	case *reject != "":
		http.HandleFunc("/", refuse)
		check("serve", http.ListenAndServeTLS(*listen, *tlsFolder+"/tls.crt", *tlsFolder+"/tls.key", nil))
	}
	stop := termination()
	if *say != "" {
		fmt.Fprintln(os.Stderr, *say)
	}
	if *eatAfter > 0 {
		time.AfterFunc(*eatAfter, func() { take(*eat) })
	} else {
		take(*eat)
	}
	if *early != "" {
		go func() { check("serve metrics", http.ListenAndServe(*early, http.HandlerFunc(metrics))) }()
	}
	prepare()
	serve()
	select {
	case <-mayExit():
		os.Exit(*exit)
	case <-stop:
		if *onTerm == "panic" {
			panic("told to end")
		}
	}
	time.Sleep(*stopAfter)
	fmt.Fprintln(os.Stderr, "ended")
}

func termination() <-chan os.Signal {
	stop := make(chan os.Signal, 1)
	switch *onTerm {
	case "nothing":
		signal.Ignore(syscall.SIGTERM)
	case "default":
	default:
		signal.Notify(stop, syscall.SIGTERM)
	}
	return stop
}

// prepare does what must succeed before the program serves.
func prepare() {
	if *crash {
		var counts map[string]int
		counts["started"]++
	}
	if *config != "" {
		content, err := os.ReadFile(*config)
		check("read the configuration", err)
		var values map[string]any
		check("parse the configuration "+*config, json.Unmarshal(content, &values))
	}
	if *need != "" && os.Getenv(*need) == "" {
		check("start", fmt.Errorf("variable %s is not set", *need))
	}
	time.Sleep(*dialAfter)
	if *postgres != "" {
		database, err := sql.Open("postgres", *postgres)
		check("open the database", err)
		check("connect to PostgreSQL", database.Ping())
		check("leave the database", database.Close())
	}
	if *redis != "" {
		check("connect to Redis", reach(*redis))
	}
	settings()
	for *retry != "" {
		err := reach(*retry)
		if err == nil {
			break
		}
		fmt.Fprintln(os.Stderr, "ERROR cannot connect, trying again:", err)
		time.Sleep(time.Second)
	}
	time.Sleep(*startAfter)
	if *openFiles > 0 {
		limit := syscall.Rlimit{Cur: *openFiles, Max: *openFiles}
		check("limit open files", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		for {
			if _, err := os.Open("/proc/self/status"); err != nil {
				break
			}
		}
	}
}

// settings reads what an ordinary program reads of its surroundings.
func settings() {
	if *write != "" {
		check("create the spool", os.WriteFile(*write, []byte("x"), 0o600))
	}
	if *number != "" {
		_, err := strconv.Atoi(os.Getenv(*number))
		check("parse "+*number, err)
	}
	if *zone != "" {
		_, err := time.LoadLocation(*zone)
		check("load the time zone", err)
	}
	if *address != "" {
		answer, err := http.Get(os.Getenv(*address))
		check("ask the catalog", err)
		check("leave the catalog", answer.Body.Close())
	}
	if *standby != "" {
		leader = newLease(*standby)
	}
}

func metrics(answer http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(answer, "up 1")
}

func serve() {
	started := time.Now()
	http.HandleFunc("/ready", func(answer http.ResponseWriter, _ *http.Request) {
		time.Sleep(*thinkFor)
		if time.Since(started) < *absentFor {
			http.NotFound(answer, nil)
			return
		}
		if time.Since(started) < *readyAfter {
			http.Error(answer, *body, http.StatusServiceUnavailable)
			return
		}
		if leader != nil && !leader.holds() {
			http.Error(answer, "not the leader", http.StatusServiceUnavailable)
			return
		}
		if *await != "" {
			if err := reach(*await); err != nil {
				fmt.Fprintln(os.Stderr, "not ready:", err)
				http.Error(answer, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		answer.WriteHeader(*status)
		fmt.Fprintln(answer, *body)
	})
	http.HandleFunc("/alive", func(answer http.ResponseWriter, _ *http.Request) {
		time.Sleep(*thinkFor)
		answer.WriteHeader(http.StatusOK)
	})
	listener, err := net.Listen("tcp", *listen)
	check("listen", err)
	server := &http.Server{ReadHeaderTimeout: time.Second}
	go func() { check("serve", server.Serve(listener)) }()
}

func reach(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	connection, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}

// mayExit answers when it is time to exit, or never.
func mayExit() <-chan time.Time {
	if *exit < 0 {
		return nil
	}
	if *unless != "" && reach(*unless) == nil {
		return nil
	}
	if *exitOnce != "" {
		if _, err := os.Stat(*exitOnce); err == nil {
			return nil
		}
		check("leave a mark", os.WriteFile(*exitOnce, nil, 0o600))
	}
	return time.After(*exitAfter)
}

func take(mebibytes int) {
	var kept [][]byte
	for range mebibytes {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i)
		}
		kept = append(kept, block)
	}
	if len(kept) > 0 {
		fmt.Fprintln(os.Stderr, len(kept), "MiB taken")
	}
}

// child does as a careless entrypoint does: it waits for the program and lets it know nothing.
func child() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	command := exec.Command(os.Args[0], without("-wrap")[1:]...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	check("start the program", command.Start())
	_ = command.Wait()
	return command.ProcessState.ExitCode()
}

func without(flag string) []string {
	var kept []string
	for _, argument := range os.Args {
		if argument != flag {
			kept = append(kept, argument)
		}
	}
	return kept
}

// refuse answers every admission review with the same refusal.
func refuse(answer http.ResponseWriter, request *http.Request) {
	var review struct {
		Request struct {
			UID string `json:"uid"`
		} `json:"request"`
	}
	if err := json.NewDecoder(request.Body).Decode(&review); err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(answer).Encode(map[string]any{
		"apiVersion": "admission.k8s.io/v1",
		"kind":       "AdmissionReview",
		"response": map[string]any{
			"uid": review.Request.UID, "allowed": false, "status": map[string]any{"message": *reject},
		},
	})
}

func login(answer http.ResponseWriter, _ *http.Request) {
	time.Sleep(*thinkFor)
	answer.Header().Set("WWW-Authenticate", `Basic realm="team"`)
	http.Error(answer, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
}

func check(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "cannot %s: %v\n", what, err)
		os.Exit(1)
	}
}
