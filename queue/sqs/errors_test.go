package sqs

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"flotilla"

	"flotilla/queue/intake"
)

// refusal is a request that is refused, the same in both protocols.
type refusal struct {
	action, json, form string
	status             int
	kind               string // in JSON's __type
	code               string
	message            string
}

const (
	missingText = "The request must contain the parameter "
	longID      = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" // 81
	longTag     = longID + "日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日日"                         // 129

	eightActions = "&ActionName.1=*&ActionName.2=*&ActionName.3=*&ActionName.4=*&ActionName.5=*&ActionName.6=*&ActionName.7=*&ActionName.8=*"
)

// AWS's codes, states and wordings.
var refusals = []refusal{
	{"Nonsense", `{}`, "", 400, "UnknownOperationException", "InvalidAction", "The action "},
	{"GetQueueUrl", `{"QueueName":"none"}`, "QueueName=none", 400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist"},
	{"GetQueueUrl", `{"QueueName":"q","QueueOwnerAWSAccountId":"123456789012"}`, "QueueName=q&QueueOwnerAWSAccountId=123456789012", 400,
		"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist"},
	{"PurgeQueue", `{"QueueUrl":"http://h/000000000000/none"}`, "QueueUrl=http://h/000000000000/none", 400,
		"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist"},
	{"PurgeQueue", `{"QueueUrl":"http://h/123/q"}`, "QueueUrl=http://h/123/q", 404, "InvalidAddress", "InvalidAddress", "The address http://h/123/q is not valid"},
	{"PurgeQueue", `{}`, "", 400, "MissingRequiredParameterException", "MissingParameter", missingText + "QueueUrl."},
	{"CreateQueue", `{}`, "", 400, "MissingRequiredParameterException", "MissingParameter", missingText + "QueueName."},
	{"CreateQueue", `{"QueueName":"a.b"}`, "QueueName=a.b", 400, "InvalidParameterValueException", "InvalidParameterValue", "Can only include alphanumeric"},
	{"CreateQueue", `{"QueueName":"` + longID + `"}`, "QueueName=" + longID, 400, "InvalidParameterValueException", "InvalidParameterValue", "Can only include alphanumeric"},
	{"CreateQueue", `{"QueueName":"a.fifo"}`, "QueueName=a.fifo", 400, "InvalidParameterValueException", "InvalidParameterValue", "Can only include alphanumeric"},
	{"CreateQueue", `{"QueueName":"a","Attributes":{"FifoQueue":"true"}}`, "QueueName=a&Attribute.1.Name=FifoQueue&Attribute.1.Value=true", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "The name of a FIFO queue can only include"},
	{"CreateQueue", `{"QueueName":"a","Attributes":{"ContentBasedDeduplication":"true"}}`, "QueueName=a&Attribute.Name=ContentBasedDeduplication&Attribute.Value=true",
		400, "InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."},
	{"SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"DeduplicationScope":"queue"}}`, "QueueUrl=q&Attribute.Name=DeduplicationScope&Attribute.Value=queue", 400,
		"InvalidAttributeName", "InvalidAttributeName", "You can specify the DeduplicationScope only when FifoQueue is set to true."},
	{"SetQueueAttributes", `{"QueueUrl":"q.fifo","Attributes":{"FifoQueue":"false"}}`, "QueueUrl=q.fifo&Attribute.Name=FifoQueue&Attribute.Value=false", 400,
		"InvalidAttributeValue", "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."},
	{"SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"QueueArn":"x"}}`, "QueueUrl=q&Attribute.Name=QueueArn&Attribute.Value=x", 400,
		"InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute QueueArn."},
	{"SetQueueAttributes", `{"QueueUrl":"q"}`, "QueueUrl=q", 400, "MissingRequiredParameterException", "MissingParameter", missingText + "Attributes."},
	{"SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"Fencing":"loose"}}`, "QueueUrl=q&Attribute.Name=Fencing&Attribute.Value=loose", 400,
		"InvalidAttributeValue", "InvalidAttributeValue", "Invalid value for the parameter Fencing."},
	{"GetQueueAttributes", `{"QueueUrl":"q","AttributeNames":["Foo"]}`, "QueueUrl=q&AttributeName.1=Foo", 400,
		"InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute Foo."},
	{"ListQueues", `{"MaxResults":1001}`, "MaxResults=1001", 400, "InvalidParameterValueException", "InvalidParameterValue", "Value 1001 for parameter MaxResults is invalid."},
	{"ReceiveMessage", `{"QueueUrl":"q","MaxNumberOfMessages":11}`, "QueueUrl=q&MaxNumberOfMessages=11", 400, "InvalidParameterValueException", "InvalidParameterValue",
		"Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
	{"ReceiveMessage", `{"QueueUrl":"q","MaxNumberOfMessages":0}`, "QueueUrl=q&MaxNumberOfMessages=0", 400, "InvalidParameterValueException", "InvalidParameterValue",
		"Value 0 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
	{"ReceiveMessage", `{"QueueUrl":"q","WaitTimeSeconds":21}`, "QueueUrl=q&WaitTimeSeconds=21", 400, "InvalidParameterValueException", "InvalidParameterValue",
		"Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
	{"ReceiveMessage", `{"QueueUrl":"q","VisibilityTimeout":43201}`, "QueueUrl=q&VisibilityTimeout=43201", 400, "InvalidParameterValueException", "InvalidParameterValue",
		"Value 43201 for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided."},
	{"ReceiveMessage", `{"QueueUrl":"q","ReceiveRequestAttemptId":"a b"}`, "QueueUrl=q&ReceiveRequestAttemptId=a+b", 400, "InvalidParameterValueException",
		"InvalidParameterValue", "Value a b for parameter ReceiveRequestAttemptId is invalid."},
	{"DeleteMessage", `{"QueueUrl":"q","ReceiptHandle":"AQEB"}`, "QueueUrl=q&ReceiptHandle=AQEB", 404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid",
		`The input receipt handle "AQEB" is not a valid receipt handle.`},
	{"DeleteMessage", `{"QueueUrl":"q","ReceiptHandle":"OTHER"}`, "QueueUrl=q&ReceiptHandle=OTHER", 404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid",
		`is not a valid receipt handle.`},
	{"DeleteMessage", `{"QueueUrl":"q","ReceiptHandle":"TAMPERED"}`, "QueueUrl=q&ReceiptHandle=TAMPERED", 404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid",
		`is not a valid receipt handle.`},
	{"DeleteMessage", `{"QueueUrl":"q"}`, "QueueUrl=q", 400, "MissingRequiredParameterException", "MissingParameter", missingText + "ReceiptHandle."},
	{"ChangeMessageVisibility", `{"QueueUrl":"q","ReceiptHandle":"OURS"}`, "QueueUrl=q&ReceiptHandle=OURS", 400, "MissingRequiredParameterException",
		"MissingParameter", missingText + "VisibilityTimeout."},
	{"ChangeMessageVisibility", `{"QueueUrl":"q","ReceiptHandle":"OURS","VisibilityTimeout":43201}`, "QueueUrl=q&ReceiptHandle=OURS&VisibilityTimeout=43201", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value 43201 for parameter VisibilityTimeout is invalid."},
	{"SendMessageBatch", `{"QueueUrl":"q"}`, "QueueUrl=q", 400, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest",
		"There should be at least one SendMessageBatchRequestEntry in the request."},
	{"DeleteMessageBatch", `{"QueueUrl":"q","Entries":[]}`, "QueueUrl=q", 400, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest",
		"There should be at least one DeleteMessageBatchRequestEntry in the request."},
	{"ChangeMessageVisibilityBatch", `{"QueueUrl":"q","Entries":[]}`, "QueueUrl=q", 400, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest",
		"There should be at least one ChangeMessageVisibilityBatchRequestEntry in the request."},
	{"TagQueue", `{"QueueUrl":"q","Tags":{"":"x"}}`, "QueueUrl=q&Tag.1.Key=&Tag.1.Value=x", 400, "InvalidParameterValueException", "InvalidParameterValue", "Tag keys must be"},
	{"TagQueue", `{"QueueUrl":"q","Tags":{"` + longTag + `":"x"}}`, "QueueUrl=q&Tag.1.Key=" + longTag + "&Tag.1.Value=x", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Tag keys must be"},
	{"CreateQueue", `{"QueueName":"a","tags":{"k":"` + longTag + longTag + `"}}`, "QueueName=a&Tag.1.Key=k&Tag.1.Value=" + longTag + longTag, 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Tag keys must be"},
	{"TagQueue", `{"QueueUrl":"q","Tags":{"aws:k":"x"}}`, "QueueUrl=q&Tag.1.Key=aws:k&Tag.1.Value=x", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Tag keys and values must not begin with the reserved prefix aws:"},
	{"CreateQueue", `{"QueueName":"a","tags":{"k":"aws:x"}}`, "QueueName=a&Tag.1.Key=k&Tag.1.Value=aws:x", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Tag keys and values must not begin with the reserved prefix aws:"},
	{"AddPermission", `{"QueueUrl":"q","Label":"l","AWSAccountIds":["111122223333"],"Actions":["Fly"]}`, "QueueUrl=q&Label=l&AWSAccountId.1=111122223333&ActionName.1=Fly", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value SQS:Fly for parameter ActionName is invalid."},
	{"AddPermission", `{"QueueUrl":"q","Label":"l l","AWSAccountIds":["111122223333"],"Actions":["*"]}`, "QueueUrl=q&Label=l+l&AWSAccountId.1=111122223333&ActionName.1=*", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value l l for parameter Label is invalid."},
	{"AddPermission", `{"QueueUrl":"q","Label":"l","AWSAccountIds":["111122223333","11112222333"],"Actions":["*"]}`,
		"QueueUrl=q&Label=l&AWSAccountId.1=111122223333&AWSAccountId.2=11112222333&ActionName.1=*", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value [11112222333] for parameter PrincipalId is invalid. Reason: Unable to verify."},
	{"AddPermission", `{"QueueUrl":"q","Label":"l","AWSAccountIds":["*"],"Actions":["*"]}`, "QueueUrl=q&Label=l&AWSAccountId.1=*&ActionName.1=*", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value [*] for parameter PrincipalId is invalid. Reason: Unable to verify."},
	{"AddPermission", `{"QueueUrl":"q","Label":"l","AWSAccountIds":["11112222333x"],"Actions":["*"]}`, "QueueUrl=q&Label=l&AWSAccountId.1=11112222333x&ActionName.1=*", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value [11112222333x] for parameter PrincipalId is invalid."},
	{"AddPermission", `{"QueueUrl":"q","Label":"l","AWSAccountIds":["111122223333"],"Actions":["*","*","*","*","*","*","*","*"]}`,
		"QueueUrl=q&Label=l&AWSAccountId.1=111122223333" + eightActions, 403, "OverLimit", "OverLimit", "8 Actions were found, maximum allowed is 7."},
	{"StartMessageMoveTask", `{"SourceArn":"q"}`, "SourceArn=q", 400, "InvalidParameterValueException", "InvalidParameterValue", "You must use this format to specify the SourceArn"},
	{"StartMessageMoveTask", `{"SourceArn":"arn:aws:sqs:r:1:q"}`, "SourceArn=arn:aws:sqs:r:1:q", 404, "ResourceNotFoundException", "ResourceNotFoundException",
		"The resource that you specified for the SourceArn parameter doesn't exist."},
	{"StartMessageMoveTask", `{"SourceArn":"arn:aws:sqs:r:000000000000:q","MaxNumberOfMessagesPerSecond":501}`,
		"SourceArn=arn:aws:sqs:r:000000000000:q&MaxNumberOfMessagesPerSecond=501", 400, "InvalidParameterValueException", "InvalidParameterValue", "Value 501 for parameter"},
	{"ListMessageMoveTasks", `{"SourceArn":"arn:aws:sqs:r:000000000000:q","MaxResults":11}`, "SourceArn=arn:aws:sqs:r:000000000000:q&MaxResults=11", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value 11 for parameter MaxResults is invalid."},
	{"CancelMessageMoveTask", `{"TaskHandle":"x"}`, "TaskHandle=x", 400, "InvalidParameterValueException", "InvalidParameterValue", "Value for parameter TaskHandle is invalid."},
	{"CancelMessageMoveTask", `{"TaskHandle":"none:1"}`, "TaskHandle=none:1", 404, "ResourceNotFoundException", "ResourceNotFoundException",
		"The resource that you specified for the SourceArn parameter doesn't exist."},
	{"CancelMessageMoveTask", `{"TaskHandle":"q:1"}`, "TaskHandle=q:1", 404, "ResourceNotFoundException", "ResourceNotFoundException", "Task does not exist."},
	{"StartMessageMoveTask", `{"SourceArn":"arn:aws:sqs:r:000000000000:q"}`, "SourceArn=arn:aws:sqs:r:000000000000:q", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."},
	{"StartMessageMoveTask", `{"SourceArn":"arn:aws:sqs:r:000000000000:q","DestinationArn":"arn:aws:sqs:r:000000000000:none"}`,
		"SourceArn=arn:aws:sqs:r:000000000000:q&DestinationArn=arn:aws:sqs:r:000000000000:none", 404, "ResourceNotFoundException", "ResourceNotFoundException",
		"The resource that you specified for the DestinationArn parameter doesn't exist."},
	{"SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:r:000000000000:none\",\"maxReceiveCount\":3}"}}`,
		`QueueUrl=q&Attribute.Name=RedrivePolicy&Attribute.Value={"deadLetterTargetArn":"arn:aws:sqs:r:000000000000:none","maxReceiveCount":3}`, 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Dead letter target does not exist."},
	{"SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:r:000000000000:q\"}"}}`,
		`QueueUrl=q&Attribute.Name=RedrivePolicy&Attribute.Value={"deadLetterTargetArn":"arn:aws:sqs:r:000000000000:q"}`, 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Redrive policy does not contain mandatory attribute: maxReceiveCount."},
	{"SetQueueAttributes", `{"QueueUrl":"q","Attributes":{"KmsMasterKeyId":"k","SqsManagedSseEnabled":"true"}}`,
		"QueueUrl=q&Attribute.1.Name=KmsMasterKeyId&Attribute.1.Value=k&Attribute.2.Name=SqsManagedSseEnabled&Attribute.2.Value=true", 400,
		"InvalidAttributeName", "InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time."},
	{"RemovePermission", `{"QueueUrl":"q","Label":"none"}`, "QueueUrl=q&Label=none", 400, "InvalidParameterValueException", "InvalidParameterValue",
		"Value none for parameter Label is invalid. Reason: can't find label."},
	{"SendMessage", `{"QueueUrl":"q.fifo","MessageBody":"x","MessageGroupId":"g"}`, "QueueUrl=q.fifo&MessageBody=x&MessageGroupId=g", 400, "InvalidParameterValueException",
		"InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
	{"SendMessage", `{"QueueUrl":"q","MessageBody":"x","MessageAttributes":{"Flotilla.Priority":{"DataType":"Number","StringValue":"1.5"}}}`,
		"QueueUrl=q&MessageBody=x&MessageAttribute.1.Name=Flotilla.Priority&MessageAttribute.1.Value.DataType=Number&MessageAttribute.1.Value.StringValue=1.5", 400,
		"InvalidParameterValueException", "InvalidParameterValue", "Value 1.5 for parameter Flotilla.Priority is invalid."},
}

func TestRefusalsAreAsOnAWSInBothProtocols(t *testing.T) {
	c, h := openCluster(t)
	ours, other := c.lease(t, "q"), c.lease(t, "p")
	askJSON(h, "CreateQueue", `{"QueueName":"q.fifo","Attributes":{"FifoQueue":"true"}}`)
	handles := strings.NewReplacer("OURS", ours, "OTHER", other, "TAMPERED", tampered(ours))
	for _, test := range refusals {
		checkRefusal(t, askJSON(h, test.action, handles.Replace(test.json)), test)
		checkRefusal(t, askForm(h, "Action="+test.action+"&"+handles.Replace(test.form)), test)
	}
}

// lease creates a queue with a message, and returns a receipt handle for it.
func (c *testCluster) lease(t *testing.T, name string) (handle string) {
	t.Helper()
	c.create(t, name)
	s, ctx := NewService(c.clients[0]), t.Context()
	_, sendErr := s.SendMessage(ctx, Caller{}, &SendMessageRequest{target: target{Queue: name}, Body: Body{MessageBody: "x"}})
	got, err := s.ReceiveMessage(ctx, Caller{}, &ReceiveMessageRequest{target: target{Queue: name}})
	if err := errors.Join(sendErr, err); err != nil || len(got.Messages) != 1 {
		t.Fatal(got, err)
	}
	return got.Messages[0].ReceiptHandle
}

// tampered changes one letter in the middle.
func tampered(handle string) string {
	b := []byte(handle)
	if b[20]++; !isWord(b[20]) {
		b[20] = 'A'
	}
	return string(b)
}

func checkRefusal(t *testing.T, answer *httptest.ResponseRecorder, want refusal) {
	t.Helper()
	id := answer.Header().Get("X-Amzn-Requestid")
	text := answer.Body.String()
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	isRight := false
	if strings.HasPrefix(text, "{") {
		err := json.Unmarshal(answer.Body.Bytes(), &body)
		isRight = err == nil && strings.HasSuffix(body.Type, "#"+want.kind) && strings.Contains(body.Message, want.message) &&
			answer.Header().Get("X-Amzn-Query-Error") == want.code+";Sender"
	} else {
		unescaped := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&").Replace(text)
		isRight = strings.HasPrefix(text, `<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>`+want.code+"</Code>") &&
			strings.Contains(unescaped, want.message) && strings.HasSuffix(text, "<Detail/></Error><RequestId>"+id+"</RequestId></ErrorResponse>")
	}
	if answer.Code != want.status || !isRight || id == "" {
		t.Errorf("%s %s: %d %s %v", want.action, want.json, answer.Code, text, answer.Header())
	}
}

func TestTheQueryProtocolKeepsItsOlderWording(t *testing.T) {
	h := openDoor(newFake())
	if got := askForm(h, "Action=PurgeQueue&QueueUrl=q"); !strings.Contains(got.Body.String(), "<Message>The specified queue does not exist for this wsdl version.</Message>") {
		t.Error(got.Body)
	}
	if got := askJSON(h, "PurgeQueue", `{"QueueUrl":"q"}`); got.Body.String() != `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}` {
		t.Error(got.Body)
	}
}

func TestMalformedRequestsAreToldSo(t *testing.T) {
	h := openDoor(newFake())
	for body, want := range map[string]string{
		`{`: "SerializationException", `[]`: "SerializationException", `"x"`: "SerializationException", `{"QueueUrl":5}`: "SerializationException",
		`{"QueueUrl":"\ud800"}`: "SerializationException", "{\"QueueUrl\":\"\xff\"}": "SerializationException", `{"WaitTimeSeconds":1.5}`: "SerializationException",
		`{"WaitTimeSeconds":"x"}`: "SerializationException", `{"QueueUrl":null}`: "MissingRequiredParameterException", ``: "MissingRequiredParameterException",
	} {
		got := askJSON(h, "ReceiveMessage", body)
		if got.Code != 400 || !strings.Contains(got.Body.String(), "#"+want) {
			t.Errorf("%q: %d %s", body, got.Code, got.Body)
		}
	}
	for body, want := range map[string]string{
		"": "400 MissingAction", "Action=ListQueues&x=%zz": "404 MalformedQueryString", "Action=ListQueues&x=%ff": "404 MalformedQueryString",
		"Action=ListQueues&a.b.c.d.e.f.g.h.i=1": "404 MalformedQueryString", "Action=ListQueues" + strings.Repeat("&a=1", maxParameters): "404 MalformedQueryString",
		"Action=ListQueues&Version=2008-01-01": "400 NoSuchVersion", "Action=ListQueues&MaxResults=x": "400 InvalidParameterValue",
		"Action=SendMessage&QueueUrl=q&MessageBody=x&MessageAttribute.1.Name=a&MessageAttribute.1.Value.BinaryValue=!": "400 InvalidParameterValue",
	} {
		got := askForm(h, body)
		status, code, _ := strings.Cut(want, " ")
		if fmt.Sprint(got.Code) != status || !strings.Contains(got.Body.String(), "<Code>"+code+"</Code>") {
			t.Errorf("%.80q: %d %s", body, got.Code, got.Body)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "HEAD", "OPTIONS"} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(method, "/?Action=ListQueues", nil))
		if answer.Code != 400 {
			t.Error(method, answer.Code)
		}
	}
}

func TestFailuresSayWhetherItMayHaveHappened(t *testing.T) {
	service := newFake()
	h := openDoor(service)
	for _, test := range []struct {
		err    error
		status int
		want   string
	}{
		{flotilla.Refused(flotilla.NoQuorum, ""), 503, "ServiceUnavailable;Receiver"},
		{flotilla.Unknown(flotilla.Timeout, ""), 500, "InternalFailure;Receiver"},
		{fmt.Errorf("a bug with %s", "secrets"), 500, "InternalFailure;Receiver"},
		{Errorf(PurgeQueueInProgress, "x"), 403, "AWS.SimpleQueueService.PurgeQueueInProgress;Sender"},
		{Errorf(OverLimit, "x"), 403, "OverLimit;Sender"},
	} {
		service.err = test.err
		got := askJSON(h, "PurgeQueue", `{"QueueUrl":"q"}`)
		if got.Code != test.status || got.Header().Get("X-Amzn-Query-Error") != test.want || strings.Contains(got.Body.String(), "secrets") {
			t.Errorf("%v: %d %v %s", test.err, got.Code, got.Header(), got.Body)
		}
	}
}

func TestBugsOfOneRequestEndThatRequestOnly(t *testing.T) {
	h := openDoor(nil) // each call panics
	if got := askJSON(h, "ListQueues", `{}`); got.Code != 500 || h.Stats().Panics != 1 || h.Stats().InFlight != 0 {
		t.Error(got.Code, h.Stats())
	}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	h := openDoor(newFake())
	askJSON(h, "CreateQueue", `{"QueueName":"q"}`)
	if got := askForm(h, "Action=SendMessage&QueueUrl=q&MessageBody="+strings.Repeat("%41", maxMessageBytes)); got.Code != 200 {
		t.Error("1 MiB, escaped:", got.Body)
	}
	if got := askJSON(h, "SendMessage", `{"QueueUrl":"q","MessageBody":"`+strings.Repeat(`\u0041`, maxMessageBytes)+`"}`); got.Code != 200 {
		t.Error("1 MiB, escaped:", got.Body)
	}
	got := askJSON(h, "SendMessage", `{"QueueUrl":"q","MessageBody":"`+strings.Repeat(`a`, maxMessageBytes+1)+`"}`)
	if !strings.Contains(got.Body.String(), "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.") {
		t.Error(got.Body)
	}
	if got := askForm(h, "Action=ListQueues&x="+url.QueryEscape(strings.Repeat("a", intake.MaxBodyBytes))); got.Code != 413 {
		t.Error(got.Code)
	}
	chunked := httptest.NewRequest("POST", "/", strings.NewReader("Action=ListQueues&x="+strings.Repeat("a", intake.MaxBodyBytes)))
	chunked.ContentLength = -1
	answer := httptest.NewRecorder()
	if h.ServeHTTP(answer, chunked); answer.Code != 413 {
		t.Error(answer.Code)
	}
	for range intake.MaxRequests {
		h.intake.Begin()
	}
	if got := askForm(h, "Action=ListQueues"); got.Code != 503 || h.Stats().Rejected != 1 {
		t.Error(got.Code, h.Stats())
	}
}
