package supervisor

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"flotilla/httpserve"
)

// controlPath is the one path of the control endpoint: GET tells the members'
// states, POST takes a Request and answers a Reply.
const controlPath = "/control"

// maxRequestBytes bounds a control request.
const maxRequestBytes = 256 << 10

// tellWait is how long a request waits for the nodes that it told of faults.
const tellWait = 5 * time.Second

// control is the content of control.json.
type control struct {
	PID     int    `json:"pid"`
	Address string `json:"address"`
	Token   string `json:"token"`
}

// Reply is what became of a request.
type Reply struct {
	Lines []string `json:"lines"`           // for people
	Error string   `json:"error,omitempty"` // empty: all was done
}

func writeControl(dir, address, token string) error {
	raw, err := json.Marshal(control{PID: os.Getpid(), Address: address, Token: token})
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(dir, controlFile), append(raw, '\n'), 0o600)
}

func removeControl(dir string) error {
	err := os.Remove(filepath.Join(dir, controlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// serveControl serves the control endpoint until ctx ends.
func serveControl(ctx context.Context, listener net.Listener, l *loop) {
	server := &http.Server{
		Handler:           l.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	// Handlers see that ctx ended, so its end is short; a client that does not read its answer is
	// not waited for. If it ends before, that only costs `flotilla fault`, which says so.
	if err := httpserve.Until(ctx, server, listener, time.Second); err != nil && ctx.Err() == nil {
		l.fleet.notify("the control endpoint ended: %v", err)
	}
}

// handler lets in who has read control.json.
func (l *loop) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+controlPath, func(w http.ResponseWriter, _ *http.Request) {
		reply(w, l.fleet.States())
	})
	mux.HandleFunc("GET "+playPath, l.showPlay)
	mux.HandleFunc("POST "+controlPath, func(w http.ResponseWriter, r *http.Request) {
		var request Request
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&request)
		if err != nil {
			http.Error(w, "not a request: "+err.Error(), http.StatusBadRequest)
			return
		}
		reply(w, l.ask(r.Context(), request))
	})
	want := []byte("Bearer " + l.token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			http.Error(w, "wrong token: read it from "+controlFile, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client is gone if this fails
}

// ask has the loop carry out a request, and waits until the nodes know of it and
// those that were killed are gone.
func (l *loop) ask(ctx context.Context, r Request) Reply {
	answer := make(chan outcome, 1)
	select {
	case l.requests <- request{Request: r, reply: answer}:
	case <-l.done:
		return Reply{Error: "the fleet has stopped"}
	case <-ctx.Done():
		return Reply{Error: ctx.Err().Error()}
	}
	out := <-answer
	ctx, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	err := out.err
	for _, t := range out.told {
		select {
		case told := <-t.done:
			err = errors.Join(err, told)
		case <-ctx.Done():
			err = errors.Join(err, errors.New(t.name+" did not answer in time: it is told again until it does"))
		}
	}
	for _, gone := range out.gone {
		select {
		case <-gone:
		case <-ctx.Done():
			err = errors.Join(err, errors.New("a killed process is still there: the system is busy with it"))
		}
	}
	for _, asked := range out.asked {
		lines, failed := asked.carryOut(ctx)
		out.lines, err = append(out.lines, lines...), errors.Join(err, failed)
	}
	reply := Reply{Lines: out.lines}
	if err != nil {
		reply.Error = err.Error()
	}
	return reply
}
