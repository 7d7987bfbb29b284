package supervisor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"flotilla/cluster"
)

// maxStatusBytes bounds what a node may answer to a survey.
const maxStatusBytes = 16 << 20

// surveyTimeout is how long a survey waits for a node: a paused one must not
// make the others wait.
const surveyTimeout = time.Second

// Answer is what one node said to a survey.
type Answer struct {
	Node   NodePlan
	Status *cluster.Status // nil when Err is not
	Err    error
}

// hashTimeout is how long a survey waits for hashes, for which a node reads all its data.
const hashTimeout = 30 * time.Second

// Survey asks all nodes of a plan for their status, side by side, and returns
// when each has answered or had a second to do so. It needs no node in particular.
func Survey(ctx context.Context, nodes []NodePlan) []Answer {
	return survey(ctx, nodes, "/api/status", surveyTimeout)
}

// SurveyHashes is Survey with the hash of each copy, for which nodes have 30 seconds.
func SurveyHashes(ctx context.Context, nodes []NodePlan) []Answer {
	return survey(ctx, nodes, "/api/status?hashes", hashTimeout)
}

func survey(ctx context.Context, nodes []NodePlan, path string, limit time.Duration) []Answer {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answers := make([]Answer, len(nodes))
	var asking sync.WaitGroup
	for i, node := range nodes {
		asking.Go(func() {
			status, err := askStatus(ctx, client, node, path)
			answers[i] = Answer{Node: node, Status: status, Err: err}
		})
	}
	asking.Wait()
	return answers
}

func askStatus(ctx context.Context, client *http.Client, node NodePlan, path string) (*cluster.Status, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+node.HTTPAddr()+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", node.Name(), res.Status)
	}
	status := new(cluster.Status)
	err = json.NewDecoder(io.LimitReader(res.Body, maxStatusBytes)).Decode(status)
	return status, err
}
