package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"flotilla"
)

// What tabs have in common: they answer their page in JSON, and ask the tabs of other nodes.

// Asker sends a GET to another node's console: Peers.Ask, but for tests.
type Asker func(ctx context.Context, to flotilla.NodeInfo, path string) (*http.Response, error)

// maxAnswerBytes bounds what another node's tab answers. See docs/limits.md.
const maxAnswerBytes = 8 << 20

// JSON asks another node, and reads its answer.
func (ask Asker) JSON(ctx context.Context, to flotilla.NodeInfo, path string, into any) error {
	res, err := ask(ctx, to, path)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%v answered %s", to.ID, res.Status)
	}
	return json.NewDecoder(io.LimitReader(res.Body, maxAnswerBytes)).Decode(into)
}

// Answer answers a page's question in JSON.
func Answer(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the client is gone if this fails
}
