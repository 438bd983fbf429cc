// Scheduler tells what Karpenter decides. It reads cases as JSON lines on stdin (see ../README.md for their shape),
// lets Karpenter's own provisioner decide each on a fake API server, and writes one JSON line per case, in order.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	log.SetLogger(logr.Discard())
	repeat := flag.Int("repeat", 0, "time each case this many times instead of reporting its verdict")
	parallel := flag.Int("parallel", runtime.NumCPU(), "how many cases to decide at once (timing always takes one)")
	version := flag.Bool("version", false, "print the versions of Karpenter in use and exit")
	flag.Parse()
	if *version {
		printVersions()
		return
	}
	answer := func(line []byte) any {
		c, err := parseCase(line)
		switch {
		case err != nil:
			return &Verdict{ID: c.ID, Failure: err.Error()}
		case *repeat > 0:
			return measure(c, *repeat)
		default:
			return decide(c)
		}
	}
	if *repeat > 0 {
		*parallel = 1
	}
	if err := run(os.Stdin, os.Stdout, *parallel, answer); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

// run answers lines in parallel and writes the answers in order, each as soon as it can be. Cases share nothing that
// matters: Karpenter's packages keep only metrics, and a counter of placeholder host names, outside of a World.
func run(in io.Reader, out io.Writer, parallel int, answer func([]byte) any) error {
	pending := make(chan chan []byte, parallel)
	failed := make(chan error, 1)
	go func() {
		defer close(pending)
		failed <- eachLine(in, func(line []byte) {
			done := make(chan []byte, 1)
			pending <- done // blocks while enough cases are under way
			go func() { done <- encode(answer(line)) }()
		})
	}()
	w := bufio.NewWriter(out)
	for done := range pending {
		if _, err := w.Write(<-done); err != nil {
			return fmt.Errorf("writing verdict, %w", err)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("writing verdict, %w", err)
		}
	}
	return <-failed
}

// eachLine reads lines of any length; a bufio.Scanner would stop at a case with all of EC2 in it.
func eachLine(in io.Reader, do func([]byte)) error {
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 1 {
			do(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading cases, %w", err)
		}
	}
}

func encode(answer any) []byte {
	b, err := json.Marshal(answer)
	if err != nil {
		b, _ = json.Marshal(Verdict{Failure: err.Error()})
	}
	return append(b, '\n')
}

func printVersions() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "sigs.k8s.io/karpenter", "github.com/aws/karpenter-provider-aws":
			fmt.Println(m.Path, m.Version)
		}
	}
}
