package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flotilla/lab/labtest"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// patience is how long the page may take for anything.
const patience = 30 * time.Second

// browser is one page in Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex // guards what follows
	complaints []string   // errors of the page's console
}

// chromium returns the browser's program, or skips the test.
func chromium(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	return path
}

// open starts Chromium. The fleet that it looks at was started before: it ends after it.
func open(t *testing.T) *browser {
	t.Helper()
	path := chromium(t)
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(stop)
	// It complains of each of Chromium's messages that it does not know.
	ctx, stop = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	t.Cleanup(func() {
		for _, c := range b.takeComplaints() {
			t.Errorf("the page's console: %s", c)
		}
	})
	return b
}

// listen keeps what the page complains about.
func (b *browser) listen(event any) {
	complaint := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Error()
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError {
			complaint = fmt.Sprint(e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError {
			complaint = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if complaint != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.complaints = append(b.complaints, complaint)
	}
}

// takeComplaints returns what the page complained about since it was last asked.
func (b *browser) takeComplaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.complaints
	b.complaints = nil
	return all
}

// forgive checks what the page complained about, apart from answers with a status that
// was to be expected.
func (b *browser) forgive(status string) {
	b.t.Helper()
	for _, c := range b.takeComplaints() {
		if !strings.Contains(c, status) {
			b.t.Errorf("the page's console: %s", c)
		}
	}
}

// do has the browser do something in time.
func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	// The first call owns the browser: it must not be bounded, or the browser ends with it.
	if err := chromedp.Run(b.ctx); err != nil {
		b.t.Fatalf("start chromium: %v", err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		text := ""
		_ = chromedp.Run(b.ctx, chromedp.Evaluate("document.body.innerText", &text)) // only words for the error
		b.t.Fatalf("%s: %v\nthe page says: %s", what, err, text)
	}
}

// visit opens an address, in a window so wide.
func (b *browser) visit(url string, width int64) {
	b.t.Helper()
	b.do("open "+url, emulation.SetDeviceMetricsOverride(width, 900, 1, width < 600), chromedp.Navigate(url))
	if bytes := b.weight(); bytes > maxPageBytes {
		b.t.Errorf("%s and what it is made of are %d bytes, more than %d", url, bytes, maxPageBytes)
	}
}

// maxPageBytes is what a page may weigh, with all that it is made of.
const maxPageBytes = 150_000

// weight returns how much came over the wire for the page, headers included.
func (b *browser) weight() (bytes int) {
	b.t.Helper()
	b.do("weigh the page", chromedp.Evaluate(`[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
		.filter((e) => !e.name.includes('/api/')).reduce((sum, e) => sum + e.transferSize, 0)`, &bytes))
	return bytes
}

// until waits until an expression is true on the page.
func (b *browser) until(what, expression string) {
	b.t.Helper()
	var ok bool
	b.do("wait until "+what+": "+expression, chromedp.Poll(expression, &ok, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(patience-time.Second)))
}

// text returns what an expression is on the page.
func (b *browser) text(expression string) (s string) {
	b.t.Helper()
	b.do(expression, chromedp.Evaluate("String("+expression+")", &s))
	return s
}

// js carries out statements on the page.
func (b *browser) js(statements string) {
	b.t.Helper()
	b.do(statements, chromedp.Evaluate("(() => {"+statements+"})()", nil))
}

// shoot keeps pictures of the whole page: light and dark, wide and narrow.
func (b *browser) shoot(name string) {
	b.t.Helper()
	for _, width := range []int64{1280, 390, 360} {
		for _, scheme := range []string{"light", "dark"} {
			var png []byte
			b.do("screenshot", emulation.SetDeviceMetricsOverride(width, 900, 1, width < 600),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.FullScreenshot(&png, 100))
			file := filepath.Join(b.t.ArtifactDir(), fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
			if err := os.WriteFile(file, png, 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
		if over := b.text("document.documentElement.scrollWidth - innerWidth"); over != "0" && !strings.HasPrefix(over, "-") {
			b.t.Errorf("at %d px, %s is wider than the window by %s", width, name, over)
		}
	}
	b.do("as before", emulation.SetDeviceMetricsOverride(1280, 900, 1, false), emulation.SetEmulatedMedia())
}
