package check

import (
	"errors"
	"io"

	"github.com/anishathalye/porcupine"
)

// ErrNoPicture is what Picture returns for a verdict that has none.
var ErrNoPicture = errors.New("the verdict has no picture: it is good, or no order was searched for")

// picture is what is needed to draw a failed search.
type picture struct {
	model porcupine.Model
	info  porcupine.LinearizationInfo
}

// Picture writes a page of HTML for a browser: the operations of the first fault
// that Linearizable found, on a line for each client, with the longest orders that
// explain some of them. Times are nanoseconds of the recorder's clock.
func (v Verdict) Picture(w io.Writer) error {
	if v.drawn == nil {
		return ErrNoPicture
	}
	return porcupine.Visualize(v.drawn.model, v.drawn.info, w)
}

// picture keeps the picture of a search, unless there is one already.
func (v *Verdict) picture(s *search, steps int) {
	if v.drawn != nil {
		return
	}
	_, info := porcupine.CheckOperationsVerbose(s.bounded(&steps), s.operations(), 0)
	v.drawn = &picture{model: s.model(), info: info}
}
