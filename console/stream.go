package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"flotilla/cluster"
)

// How the event stream of a page is written.
const (
	pushPeriod = 250 * time.Millisecond
	// pushTimeout is how long a page may take to read what was pushed. One that does not
	// is cut off; it comes again by itself when it reads again.
	pushTimeout = 10 * time.Second
	// maxPushed is how many notes go out at a time, as one piece.
	maxPushed = 2000
	// quietPeriod is how long nothing may be pushed: then a line says that we are here. A page
	// that hears nothing for longer takes us for lost: see static/stream.js.
	quietPeriod = time.Second
)

// ToldNote is a note with its meaning for people, and its place in the history.
type ToldNote struct {
	cluster.Note
	Number uint64 `json:"n"`
	Telling
}

// stream pushes the picture, whenever it changed, and what is new in the history, as
// server-sent events. Pictures are not queued: a page that reads slowly gets fewer of them.
func (c *Console) stream(w http.ResponseWriter, r *http.Request) {
	leave, ok := c.watcher.join()
	if !ok {
		http.Error(w, "too many pages are open on this node: close some, or use another node's", http.StatusServiceUnavailable)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	p := &pusher{to: w, control: http.NewResponseController(w), patience: c.patience}
	if p.control.SetReadDeadline(time.Time{}) != nil { // that of the whole request would end it
		return
	}
	ticker := time.NewTicker(pushPeriod)
	defer ticker.Stop()
	for {
		if err := p.push(c.watcher); err != nil {
			return // the page has gone, or does not read
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// pusher is one page's stream.
type pusher struct {
	to       http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	next     uint64 // number of the next note
	last     []byte // the picture that was pushed
	at       time.Time
}

func (p *pusher) push(w *watcher) error {
	now := time.Now()
	var out bytes.Buffer
	picture := w.picture(now)
	atMs := picture.AtMs
	picture.AtMs = 0
	raw, err := json.Marshal(picture)
	if err != nil {
		return err
	}
	if !bytes.Equal(raw, p.last) {
		p.last = raw
		fmt.Fprintf(&out, "event: picture\ndata: %s\n\n", raw)
	}
	w.mu.Lock()
	notes, next := w.history.since(p.next)
	w.mu.Unlock()
	for piece := range slices.Chunk(notes, maxPushed) { // each goes out by itself: a page need not wait for all of them
		raw, err := json.Marshal(told(piece))
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "event: notes\ndata: %s\n\n", raw)
		if err := p.send(&out, atMs); err != nil {
			return err
		}
	}
	p.next = next
	if out.Len() == 0 && now.Sub(p.at) < quietPeriod {
		return nil
	}
	return p.send(&out, atMs)
}

// send writes what was gathered, and the time, after which the page draws. It empties out.
func (p *pusher) send(out *bytes.Buffer, atMs int64) error {
	fmt.Fprintf(out, "event: clock\ndata: %d\n\n", atMs)
	p.at = time.Now()
	if err := p.control.SetWriteDeadline(p.at.Add(p.patience)); err != nil {
		return err
	}
	if _, err := out.WriteTo(p.to); err != nil {
		return err
	}
	return p.control.Flush()
}

// told gives notes their meaning.
func told(notes []numbered) []ToldNote {
	all := make([]ToldNote, 0, len(notes))
	for _, n := range notes {
		all = append(all, ToldNote{Note: n.Note, Number: n.number, Telling: Tell(n.Note)})
	}
	return all
}
