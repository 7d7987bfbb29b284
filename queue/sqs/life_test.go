package sqs

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"flotilla/queue"
)

// TestWhoDidItIsRemembered works over HTTP, and looks what the node noted of it.
func TestWhoDidItIsRemembered(t *testing.T) {
	c, _ := openCluster(t)
	c.create(t, "q")
	ask := func(action, body string) (answer struct {
		MessageId string
		Messages  []struct{ ReceiptHandle string }
	}) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.endpoints[0], strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-amz-json-1.0")
		r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", action, res.Status)
		}
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil && action != "DeleteMessage" {
			t.Fatal(err)
		}
		return answer
	}
	id := ask("SendMessage", `{"QueueUrl": "q", "MessageBody": "x"}`).MessageId
	got := ask("ReceiveMessage", `{"QueueUrl": "q", "WaitTimeSeconds": 5}`)
	ask("DeleteMessage", `{"QueueUrl": "q", "ReceiptHandle": "`+got.Messages[0].ReceiptHandle+`"}`)
	all := c.clients[0].Life(id, nil)
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	lease := all[1]
	all = c.clients[0].Life(id, []queue.Spot{{Queue: "q", Gen: lease.Gen, Place: lease.Place}})
	want := []queue.Kind{queue.KindSent, queue.KindLeased, queue.KindFinished}
	for i, h := range all {
		if h.Kind != want[i] || h.By.Key != "anonymous" || !strings.HasPrefix(h.By.Address, "127.0.0.1:") || h.Code != "" {
			t.Errorf("%+v", h)
		}
	}
	if len(all) != len(want) || all[2].Token != lease.Token {
		t.Errorf("%+v", all)
	}
}
