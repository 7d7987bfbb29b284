package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// ErrNotRunning means that no fleet runs in the folder.
var ErrNotRunning = errors.New("no fleet is running")

// Client talks to the supervisor of a running fleet.
type Client struct {
	dir     string
	control control
}

// Dial finds the fleet that runs in dir. It only reads a file: whether the fleet
// still runs shows in the first request.
func Dial(dir string) (*Client, error) {
	raw, err := os.ReadFile(filepath.Join(dir, controlFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, notRunning(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("find the fleet: %w", err)
	}
	c := &Client{dir: dir}
	if err := json.Unmarshal(raw, &c.control); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", controlFile, err)
	}
	return c, nil
}

func notRunning(dir string) error {
	return fmt.Errorf("%w in %s: start it with `flotilla up`, or name its folder with --dir", ErrNotRunning, dir)
}

// PID returns the supervisor's process id.
func (c *Client) PID() int { return c.control.PID }

// States returns where each node is in its life.
func (c *Client) States(ctx context.Context) ([]MemberState, error) {
	var states []MemberState
	return states, c.do(ctx, http.MethodGet, nil, &states)
}

// Plays tells of the run of a plan that goes on, or the last one.
func (c *Client) Plays(ctx context.Context) (PlayState, error) {
	var state PlayState
	return state, c.ask(ctx, http.MethodGet, playPath, nil, &state)
}

// Do has the fleet carry out a request and returns lines that say what was done,
// also when some of it failed.
func (c *Client) Do(ctx context.Context, r Request) ([]string, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var reply Reply
	if err := c.do(ctx, http.MethodPost, raw, &reply); err != nil {
		return nil, err
	}
	if reply.Error != "" {
		return reply.Lines, errors.New(reply.Error)
	}
	return reply.Lines, nil
}

func (c *Client) do(ctx context.Context, method string, body []byte, answer any) error {
	return c.ask(ctx, method, controlPath, body, answer)
}

func (c *Client) ask(ctx context.Context, method, path string, body []byte, answer any) error {
	url := "http://" + c.control.Address + path
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.control.Token)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil && ctx.Err() == nil {
		// The file is left over from a supervisor that was killed.
		return notRunning(c.dir)
	}
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("ask the supervisor: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the supervisor answered %s: %s", res.Status, strings.TrimSpace(string(raw)))
	}
	return json.Unmarshal(raw, answer)
}
