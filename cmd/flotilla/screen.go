package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"flotilla/supervisor"

	"golang.org/x/term"
)

// How often up looks at its nodes: while they start, and later on a terminal.
const (
	startingInterval = 100 * time.Millisecond
	runningInterval  = time.Second
	// patience is after how long, and how often, plain output says what it waits for.
	patience = 5 * time.Second
)

// clearLine moves to the beginning of a terminal's line and empties it.
const clearLine = "\r\x1b[K"

// screen is what `flotilla up` shows: lines, and on a terminal a last line that
// changes.
type screen struct {
	isLive bool
	width  func() int

	mu     sync.Mutex // guards what follows, so that lines and status do not mix
	out    io.Writer
	status string
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out, width: func() int { return 80 }}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.isLive = true
	s.width = func() int {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
		return 80
	}
	return s
}

// line prints a line that stays.
func (s *screen) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isLive {
		text = clearLine + text
	}
	// A closed terminal is no reason to stop the fleet.
	_, _ = fmt.Fprintln(s.out, text)
	s.draw()
}

// setStatus replaces the last line of a terminal; elsewhere nothing is shown.
func (s *screen) setStatus(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isLive && text != s.status {
		s.status = text
		s.draw()
	}
}

func (s *screen) draw() {
	if s.isLive {
		_, _ = io.WriteString(s.out, clearLine+cutTo(s.status, s.width()-1))
	}
}

// cutTo shortens a text to a width; a line that wraps could not be redrawn.
func cutTo(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width-1, 0)]) + "…"
}

// welcome says what is started and where to connect.
func (s *screen) welcome(dir string, plan supervisor.Plan, isNew bool) {
	how := "resuming"
	if isNew {
		how = "new"
	}
	s.line(fmt.Sprintf("cluster %s (%s): %s, %s, data in %s", plan.Cluster, how, counted(len(plan.Nodes), "node"), counted(plan.Groups, "group"), dir))
	for _, n := range plan.Nodes {
		s.line(fmt.Sprintf("  %-4s Redis protocol %s   queue http://%s   web http://%s", n.Name(), n.StoreAddr(), n.QueueAddr(), n.HTTPAddr()))
	}
	s.line(fmt.Sprintf("try: redis-cli -p %d SET greeting hello", plan.Nodes[0].StorePort))
	s.line("starting; Ctrl-C stops all nodes")
}

// watch says when the fleet is ready, and then keeps the status line true.
func (s *screen) watch(ctx context.Context, fleet *supervisor.Fleet) {
	start := time.Now()
	said := start
	ticker := time.NewTicker(startingInterval)
	defer ticker.Stop()
	isReady := false
	var before supervisor.Overview
	for {
		select {
		case <-ctx.Done():
			s.setStatus("")
			return
		case <-ticker.C:
		}
		o := supervisor.Merge(supervisor.Survey(ctx, fleet.Plan.Nodes), fleet.States())
		switch {
		case ctx.Err() != nil:
		case isReady:
			s.setStatus(statusLine(o, before))
		case o.IsReady:
			isReady = true
			s.line(fmt.Sprintf("ready after %.1f s", time.Since(start).Seconds()))
			if !s.isLive {
				return // nobody looks: no reason to ask the nodes further
			}
			ticker.Reset(runningInterval)
		default:
			s.setStatus(fmt.Sprintf("waiting %.0f s: %s", time.Since(start).Seconds(), strings.Join(o.Problems, "; ")))
			if !s.isLive && time.Since(said) >= patience {
				said = time.Now()
				s.line(fmt.Sprintf("waiting for %.0f s: %s", time.Since(start).Seconds(), strings.Join(o.Problems, "; ")))
			}
		}
		before = o
	}
}

// statusLine says how the fleet does: each node with a sign, who leads what, and
// the commands a second since the overview before.
func statusLine(now, before supervisor.Overview) string {
	var parts []string
	if now.IsReady {
		parts = append(parts, "ready")
	} else {
		parts = append(parts, "NOT READY")
	}
	var nodes, leaders []string
	commands := uint64(0)
	for i, n := range now.Nodes {
		sign := "●"
		if !n.IsUp {
			sign = "○"
		}
		if n.Phase != supervisor.Running && n.Phase != "" {
			sign = "○ " + string(n.Phase)
		}
		nodes = append(nodes, n.Name+" "+sign)
		// A node that started again counts from zero.
		if i < len(before.Nodes) && n.Commands > before.Nodes[i].Commands {
			commands += n.Commands - before.Nodes[i].Commands
		}
	}
	for _, g := range now.Groups {
		leader := "none"
		if g.Leader != 0 {
			leader = g.Leader.String()
		}
		leaders = append(leaders, fmt.Sprintf("%v→%s", g.Group, leader))
	}
	parts = append(parts, strings.Join(nodes, "  "), strings.Join(leaders, " "),
		fmt.Sprintf("%d writes/s", commands))
	return strings.Join(parts, " │ ")
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
