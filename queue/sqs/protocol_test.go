package sqs

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// openDoor takes requests from anybody.
func openDoor(service Service) *Handler {
	return &Handler{Service: service, AllowUnsigned: true}
}

// askJSON sends a request of AWS JSON.
func askJSON(h http.Handler, action, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// askForm sends a request of the Query protocol.
func askForm(h http.Handler, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

// fill gives each field something by chance, perhaps nothing.
func fill(t *rapid.T, in shape) {
	text := rapid.StringMatching(`[a-zA-Z0-9 +&=%<>"\\é😀\n.]{1,9}`)
	value := rapid.Custom(func(t *rapid.T) AttributeValue {
		return AttributeValue{StringValue: text.Draw(t, "s"), BinaryValue: rapid.SliceOfN(rapid.Byte(), 1, 4).Draw(t, "b"), DataType: "String"}
	})
	for _, f := range in.fields(nil) {
		if rapid.Bool().Draw(t, "absent") {
			continue
		}
		switch v := f.value.(type) {
		case *string:
			*v = text.Draw(t, f.name)
		case **int64:
			*v = new(int64)
			**v = rapid.Int64().Draw(t, f.name)
		case *int64:
			*v = rapid.Int64().Draw(t, f.name)
		case *bool:
			*v = true
		case *[]byte:
			*v = []byte{0, 255}
		case *[]string:
			*v = rapid.SliceOfN(text, 1, 12).Draw(t, f.name)
		case *map[string]string:
			*v = rapid.MapOfN(text, text, 1, 12).Draw(t, f.name)
		case *map[string]AttributeValue:
			*v = rapid.MapOfN(text, value, 1, 3).Draw(t, f.name)
		case list:
			for range rapid.IntRange(1, 12).Draw(t, f.name) {
				fill(t, v.grow())
			}
		}
	}
}

// encodeForm writes a request as clients of the Query protocol do.
func encodeForm(in shape, prefix string, into url.Values) {
	for _, f := range in.fields(nil) {
		name := prefix + f.queryName()
		if f.isEmpty() {
			continue
		}
		switch v := f.value.(type) {
		case *string:
			into.Set(name, *v)
		case **int64:
			into.Set(name, fmt.Sprint(**v))
		case *[]byte:
			into.Set(name, base64.StdEncoding.EncodeToString(*v))
		case *[]string:
			for i, item := range *v {
				into.Set(fmt.Sprintf("%s.%d", name, i+1), item)
			}
		case *map[string]string:
			for i, key := range sortedKeys(*v) {
				into.Set(fmt.Sprintf("%s.%d.%s", name, i+1, f.keyName()), key)
				into.Set(fmt.Sprintf("%s.%d.Value", name, i+1), (*v)[key])
			}
		case *map[string]AttributeValue:
			for i, key := range sortedKeys(*v) {
				value := (*v)[key]
				into.Set(fmt.Sprintf("%s.%d.Name", name, i+1), key)
				encodeForm(&value, fmt.Sprintf("%s.%d.Value.", name, i+1), into)
			}
		case list:
			for i := range v.len() {
				into.Set(fmt.Sprintf("%s.%d.x", name, i+1), "an empty entry is one, too")
				encodeForm(v.at(i), fmt.Sprintf("%s.%d.", name, i+1), into)
			}
		}
	}
}

func TestRequestsMeanTheSameInBothProtocols(t *testing.T) {
	if len(actions) != 23 {
		t.Errorf("%d actions", len(actions))
	}
	for _, name := range sortedKeys(actions) {
		rapid.Check(t, func(t *rapid.T) {
			sent, fromJSON, fromForm := actions[name].make(), actions[name].make(), actions[name].make()
			fill(t, sent)
			if err := decodeJSON(appendJSON(nil, sent, &fieldStack{}), fromJSON, &fieldStack{}); err != nil || !reflect.DeepEqual(sent, fromJSON) {
				t.Fatalf("%s: JSON %s became %+v, %v", name, appendJSON(nil, sent, &fieldStack{}), fromJSON, err)
			}
			values := url.Values{}
			encodeForm(sent, "", values)
			var tree form
			if err := errors.Join(tree.parse(values.Encode()), decodeForm(&tree, fromForm)); err != nil || !reflect.DeepEqual(sent, fromForm) {
				t.Fatalf("%s: form %s became %+v, %v", name, values.Encode(), fromForm, err)
			}
		})
	}
}

func TestResultsAreWellFormedInBothProtocols(t *testing.T) {
	results := []shape{&QueueURLResult{}, &ListQueuesResult{}, &GetQueueAttributesResult{}, &ListDeadLetterSourceQueuesResult{},
		&ListQueueTagsResult{}, &StartMessageMoveTaskResult{}, &CancelMessageMoveTaskResult{}, &ListMessageMoveTasksResult{},
		&SendMessageResult{}, &SendMessageBatchResult{}, &ReceiveMessageResult{}, &DeleteMessageBatchResult{}, &ChangeMessageVisibilityBatchResult{}}
	for _, result := range results {
		rapid.Check(t, func(t *rapid.T) {
			out := reflect.New(reflect.TypeOf(result).Elem()).Interface().(shape)
			fill(t, out)
			if text := appendJSON(nil, out, &fieldStack{}); !json.Valid(text) {
				t.Fatalf("%T: %s", out, text)
			}
			if err := wellFormed(renderXML("Some", out, "id")); err != nil {
				t.Fatalf("%T: %v", out, err)
			}
		})
	}
}

func wellFormed(text []byte) error {
	decoder := xml.NewDecoder(strings.NewReader(string(text)))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w in %s", err, text)
		}
	}
}

func TestStringsSurviveJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.String().Draw(t, "s")
		var got string
		if err := json.Unmarshal(appendString(nil, want), &got); err != nil || got != want {
			t.Fatalf("%q became %q, %v", want, got, err)
		}
	})
}

func TestHalvesOfSurrogatePairsAreSeen(t *testing.T) {
	for text, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\ud83d"`: true, `"\ude00"`: true, `"\ude00\ud83d"`: true, `"\ud83d\ud83d\ude00"`: true,
		`"\\ud83d"`: false, `"\\\ud83d"`: true, `"\u00e9"`: false, `"\uD83D\uDE00\uD83D\uDE00"`: false, `"\ud83dx\ude00"`: true, `"\`: true,
	} {
		if got := decodeJSON([]byte(`{"QueueUrl":`+text+"}"), &QueueRequest{}, &fieldStack{}) != nil; got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestWhatIsEmptyIsAbsent(t *testing.T) {
	service := newFake()
	h := openDoor(service)
	askJSON(h, "CreateQueue", `{"QueueName":"q"}`)
	for _, test := range []struct{ action, parameters, json, xml string }{
		{"ReceiveMessage", `"QueueUrl":"q"`, `{}`, "<ReceiveMessageResult/>"},
		{"ListQueueTags", `"QueueUrl":"q"`, `{}`, "<ListQueueTagsResult/>"},
		{"ListQueues", `"QueueNamePrefix":"x"`, `{}`, "<ListQueuesResult/>"},
		{"ListDeadLetterSourceQueues", `"QueueUrl":"q"`, `{"queueUrls":[]}`, "<ListDeadLetterSourceQueuesResult/>"},
		{"GetQueueAttributes", `"QueueUrl":"q"`, `{}`, "<GetQueueAttributesResult/>"},
		{"PurgeQueue", `"QueueUrl":"q"`, `{}`, `/2012-11-05/"><ResponseMetadata>`},
	} {
		if got := askJSON(h, test.action, "{"+test.parameters+"}"); got.Body.String() != test.json || got.Code != 200 {
			t.Errorf("%s: %d %s", test.action, got.Code, got.Body)
		}
		values := strings.NewReplacer(`"`, "", ":", "=").Replace(test.parameters)
		if got := askForm(h, "Action="+test.action+"&"+values); !strings.Contains(got.Body.String(), test.xml) || got.Code != 200 {
			t.Errorf("%s: %d %s", test.action, got.Code, got.Body)
		}
	}
}

func TestFormsAreReadInAllTheirShapes(t *testing.T) {
	service := newFake()
	h := openDoor(service)
	askForm(h, "Action=CreateQueue&QueueName=q&Attribute.Name=VisibilityTimeout&Attribute.Value=7&Attribute.12.Name=DelaySeconds&Attribute.12.Value=3")
	if got := service.queues["q"].attributes; got["DelaySeconds"] != "3" {
		t.Error("numbers with gaps:", got)
	}
	askForm(h, "Action=SetQueueAttributes&QueueUrl=q&Attribute.Name=VisibilityTimeout&Attribute.Value=8")
	if got := service.queues["q"].attributes; got["VisibilityTimeout"] != "8" {
		t.Error("without number:", got)
	}
	r := httptest.NewRequest("POST", "/000000000000/q?Action=SendMessage", strings.NewReader("MessageBody=a%2Bb+c&Version=2012-11-05"))
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	if answer.Code != 200 || len(service.queues["q"].messages) != 1 || service.queues["q"].messages[0].sent.MessageBody != "a+b c" {
		t.Error("posted to the queue's address:", answer.Body)
	}
	r = httptest.NewRequest("POST", "/000000000000/q", strings.NewReader(`{"MaxNumberOfMessages":"1"}`))
	r.Header.Set("X-Amz-Target", "AmazonSQS.ReceiveMessage")
	answer = httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	if !strings.Contains(answer.Body.String(), `"Body":"a+b c"`) {
		t.Error("JSON posted to the queue's address, with a number as a string:", answer.Body)
	}
}

func FuzzRequests(f *testing.F) {
	for name := range actions {
		f.Add(name, `{"QueueUrl":"q","QueueName":"q","MessageBody":"\ud83d\ude00","Entries":[{"Id":"a","ReceiptHandle":"x"}],"MaxResults":"3"}`)
		f.Add(name, "QueueUrl=q&QueueName=q&MessageBody=%F0&SendMessageBatchRequestEntry.1.Id=a&Attribute.1.Name=Policy&MessageAttribute.1.Value.BinaryValue=AA")
	}
	f.Fuzz(func(t *testing.T, action, body string) {
		h := openDoor(newFake())
		askForm(h, "Action=CreateQueue&QueueName=q")
		inJSON := askJSON(h, action, body)
		if !json.Valid(inJSON.Body.Bytes()) || !utf8.Valid(inJSON.Body.Bytes()) || inJSON.Code >= 500 {
			t.Errorf("%d %s", inJSON.Code, inJSON.Body)
		}
		inXML := askForm(h, "Action="+action+"&"+body)
		if err := wellFormed(inXML.Body.Bytes()); err != nil || inXML.Code >= 500 {
			t.Errorf("%d %v", inXML.Code, err)
		}
	})
}

// What is taken, encoding/json takes, too, and it means the same; what is refused is so
// because of what a member of ours is, or of what no text can hold.
func FuzzJSONIsReadAsTheLibraryReadsIt(f *testing.F) {
	for _, text := range []string{`{"a":1}`, `[]`, `{}`, ` {"tags":{"a":"b","c":null},"QueueName":"x"} `, `{"x":[1,-0.5e+10,true,{"y":"\u00e9\ud83d\ude00"}]}`, `{"QueueName":"é\n"}`,
		`{"x":01}`, `{"x":1.}`, `{"x":-}`, `{"x":1e}`, `{,}`, `{"a":1,}`, `{"a" "b"}`, "{\"a\":\"\t\"}", `{"\u0051ueueName":"k"}`, `{"QueueName":"a","QueueName":"b"}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := &CreateQueueRequest{}
		err := decodeJSON([]byte(text), got, &fieldStack{})
		members := map[string]json.RawMessage{}
		library := json.Unmarshal([]byte(text), &members)
		if err == nil && library != nil && strings.Trim(text, " \t\r\n") != "" {
			t.Errorf("%q is taken, and encoding/json says %v", text, library)
		}
		var name string
		if raw := members["QueueName"]; err == nil && raw != nil && string(raw) != "null" && (json.Unmarshal(raw, &name) != nil || name != got.QueueName) {
			t.Errorf("%q is read as %q", text, got.QueueName)
		}
		isOdd := !utf8.ValidString(text) || strings.ContainsAny(text, `\{[`) && (strings.Contains(text, `\u`) || strings.Count(text, "{")+strings.Count(text, "[") > maxJSONDepth)
		isOurs := strings.Contains(text, "QueueName") || strings.Contains(text, "Attributes") || strings.Contains(text, "tags")
		if err != nil && library == nil && !isOdd && !isOurs && text != "null" && !strings.HasPrefix(strings.TrimSpace(text), "null") {
			t.Errorf("%q is refused: %v", text, err)
		}
	})
}
