package sqs

import (
	"fmt"
	"strings"
	"testing"
)

func TestMessagesAreCheckedAsOnAWS(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	with := func(name string, value AttributeValue) Body {
		return Body{MessageBody: "x", MessageAttributes: map[string]AttributeValue{name: value}}
	}
	text := func(kind, value string) AttributeValue { return AttributeValue{DataType: kind, StringValue: value} }
	many := Body{MessageBody: "x", MessageAttributes: map[string]AttributeValue{}}
	for i := range 11 {
		many.MessageAttributes[fmt.Sprint("a", i)] = text("String", "x")
	}
	tests := []struct {
		name, queue string
		body        Body
		want        string // part of the error; empty: taken
	}{
		{"all characters that may be", "q", Body{MessageBody: "\t\n\r \ud7ff\ue000\ufffd\U00010000\U0010ffff"}, ""},
		{"NUL", "q", Body{MessageBody: "a\x00"}, "InvalidMessageContents: Invalid binary character"},
		{"0x1f", "q", Body{MessageBody: "a\x1f"}, "InvalidMessageContents"},
		{"U+FFFE", "q", Body{MessageBody: "\ufffe"}, "InvalidMessageContents"},
		{"U+FFFF", "q", Body{MessageBody: "\uffff"}, "InvalidMessageContents"},
		{"longest delay", "q", Body{MessageBody: "x", DelaySeconds: number(900)}, ""},
		{"longer delay", "q", Body{MessageBody: "x", DelaySeconds: number(901)}, "Value 901 for parameter DelaySeconds is invalid. Reason: Must be >= 0 and <= 900"},
		{"negative delay", "q", Body{MessageBody: "x", DelaySeconds: number(-1)}, "Value -1 for parameter DelaySeconds"},
		{"delay on FIFO", "q.fifo", Body{MessageBody: "x", DelaySeconds: number(2), MessageGroupID: "g"},
			"Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
		{"no delay on FIFO", "q.fifo", Body{MessageBody: "x", DelaySeconds: number(0), MessageGroupID: "g"}, ""},
		{"group on standard", "q", Body{MessageBody: "x", MessageGroupID: "g"}, ""},
		{"group with a space", "q", Body{MessageBody: "x", MessageGroupID: "group 123"}, "Value group 123 for parameter MessageGroupId is invalid. " +
			"Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{"longest group", "q", Body{MessageBody: "x", MessageGroupID: strings.Repeat("~", 128)}, ""},
		{"longer group", "q", Body{MessageBody: "x", MessageGroupID: strings.Repeat("~", 129)}, "MessageGroupId can only include"},
		{"deduplication on standard", "q", Body{MessageBody: "x", MessageDeduplicationID: "d"}, "The request includes a parameter that is not valid for this queue type."},
		{"ten attributes", "q", Body{MessageBody: "x", MessageAttributes: pick(many.MessageAttributes, []string{"a1*", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"})}, ""},
		{"eleven attributes", "q", many, "Number of message attributes [11] exceeds the allowed maximum [10]."},
		{"custom type", "q", with("a.b_c-Ü", text("String.some thing", "x")), ""},
		{"no type", "q", with("a", text("", "x")), "must contain a non-empty message attribute type"},
		{"unknown type", "q", with("a", text("Stringy", "x")), "supported type prefixes: Binary, Number, String."},
		{"long type", "q", with("a", text("String."+strings.Repeat("x", 250), "x")), "attribute types must be shorter than 256 Bytes"},
		{"empty string", "q", with("ErrorDetails", text("String", "")), "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."},
		{"empty binary", "q", with("a", AttributeValue{DataType: "Binary"}), "must contain a non-empty value of type 'Binary'."},
		{"both values", "q", with("a", AttributeValue{DataType: "String", StringValue: "x", BinaryValue: []byte{1}}), "must use field 'String'"},
		{"control character", "q", with("a", text("String", "\x01")), "InvalidMessageContents"},
		{"word as number", "q", with("a", text("Number", "five")), "Can't cast the value of message (user) attribute 'a' to a number."},
		{"precise number", "q", with("a", text("Number", "-"+strings.Repeat("9", 38))), ""},
		{"too precise number", "q", with("a", text("Number", strings.Repeat("9", 39))), "Can't cast"},
		{"number with exponent", "q", with("a", text("Number.float", "+1.5E-7")), ""},
		{"no name", "q", with("", text("String", "x")), "non-empty message (user) attribute names"},
		{"longest name", "q", with(strings.Repeat("n", 256), text("String", "x")), ""},
		{"longer name", "q", with(strings.Repeat("n", 257), text("String", "x")), "names must be shorter than 256 Bytes"},
		{"reserved name", "q", with("aws.x", text("String", "x")), "beginning with 'AWS.' or 'Amazon.'"},
		{"name with a point before", "q", with(".x", text("String", "x")), "period"},
		{"name with two points", "q", with("a..x", text("String", "x")), "period"},
		{"name with a slash", "q", with("a/x", text("String", "x")), "can only contain letters"},
		{"trace header", "q", Body{MessageBody: "x", MessageSystemAttributes: map[string]AttributeValue{"AWSTraceHeader": text("String", "Root=1")}}, ""},
		{"other system attribute", "q", Body{MessageBody: "x", MessageSystemAttributes: map[string]AttributeValue{"SenderId": text("String", "me")}}, "'SenderId' is invalid"},
		{"trace header of another type", "q", Body{MessageBody: "x", MessageSystemAttributes: map[string]AttributeValue{"AWSTraceHeader": text("Number", "1")}}, "'AWSTraceHeader'"},
	}
	for _, test := range tests {
		err := test.body.check(test.queue)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestNumbersAreDecimal(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "-1": true, "+.5": true, "5.": true, "1e10": true, "1e+10": true, "": false, "-": false, ".": false,
		"1e": false, "1e1000": false, "0x10": false, "NaN": false, "1_000": false, "--1": false, "1.2.3": false, " 1": false, "٣": false} {
		if isNumber(text) != want {
			t.Errorf("%q", text)
		}
	}
}

// Sums that AWS itself gave for these attributes.
func TestSumsAreThoseOfAWS(t *testing.T) {
	if got := bodySum("msg"); got != "6e2baaf3b97dbeef01c0043275f9a0e7" {
		t.Error(got)
	}
	attributes := map[string]AttributeValue{"General": {DataType: "String", StringValue: "Kenobi"}, "Hello": {DataType: "String", StringValue: "There"},
		"Help.Me": {DataType: "String", StringValue: "Me"}}
	for _, test := range []struct{ asked, sum string }{{"All", "4c360f3fdafd970e05fae2f149d997f5"}, {".*", "4c360f3fdafd970e05fae2f149d997f5"},
		{"*", "4c360f3fdafd970e05fae2f149d997f5"}, {"Hel.*", "83fee93c1bcd8b9a5a923ffacdc636c7"}, {"Hello", "a311262e065454b75da111d535b8dacd"}, {"Hel", ""}} {
		if got := attributeSum(pick(attributes, []string{test.asked})); got != test.sum {
			t.Errorf("%s: %s", test.asked, got)
		}
	}
}

func TestBatchesFailAsAWholeOrByEntry(t *testing.T) {
	service := newFake()
	h := openDoor(service)
	askJSON(h, "CreateQueue", `{"QueueName":"q"}`)
	askJSON(h, "CreateQueue", `{"QueueName":"q.fifo","Attributes":{"FifoQueue":"true"}}`)
	entries := func(n int, entry string) string {
		var all []string
		for i := range n {
			all = append(all, strings.ReplaceAll(entry, "#", fmt.Sprint(i)))
		}
		return `{"QueueUrl":"q","Entries":[` + strings.Join(all, ",") + `]}`
	}
	big := strings.Repeat("a", maxMessageBytes/10)
	for _, test := range []struct{ name, body, want string }{
		{"ten", entries(10, `{"Id":"#","MessageBody":"x"}`), `{"Successful":[{"Id":"0"`},
		{"eleven", entries(11, `{"Id":"#","MessageBody":"x"}`), "Maximum number of entries per request are 10. You have sent 11."},
		{"same ids", entries(2, `{"Id":"a","MessageBody":"x"}`), "Id a repeated."},
		{"bad id", entries(1, `{"Id":"a:b","MessageBody":"x"}`), "A batch entry id can only contain alphanumeric characters, hyphens and underscores."},
		{"no id", entries(1, `{"MessageBody":"x"}`), "InvalidBatchEntryId"},
		{"long id", entries(1, `{"Id":"`+longID+`","MessageBody":"x"}`), "InvalidBatchEntryId"},
		{"longest id", entries(1, `{"Id":"`+longID[1:]+`","MessageBody":"x"}`), "Successful"},
		{"no body", entries(1, `{"Id":"a"}`), missingText + "MessageBody."},
		{"largest", entries(10, `{"Id":"#","MessageBody":"`+big+`"}`), "Successful"},
		{"larger", entries(10, `{"Id":"#","MessageBody":"`+big+`a"}`), "Batch requests cannot be longer than 1048576 bytes. You have sent 1048580 bytes."},
		{"no group", strings.Replace(entries(1, `{"Id":"#","MessageBody":"x"}`), `"q"`, `"q.fifo"`, 1), missingText + "MessageGroupId."},
		{"no queue", strings.Replace(entries(1, `{"Id":"#","MessageBody":"\u0001"}`), `"q"`, `"p"`, 1), "QueueDoesNotExist"},
		{"a bad entry", `{"QueueUrl":"q","Entries":[{"Id":"a","MessageBody":"x"},{"Id":"b","MessageBody":"\u0001"}]}`,
			`"Failed":[{"Id":"b","SenderFault":true,"Code":"InvalidMessageContents","Message":"Invalid binary`},
		{"bad entries only", `{"QueueUrl":"q","Entries":[{"Id":"b","MessageBody":"\u0001"}]}`, `{"Successful":[],"Failed":[{"Id":"b"`},
	} {
		if got := askJSON(h, "SendMessageBatch", test.body); !strings.Contains(got.Body.String(), test.want) {
			t.Errorf("%s: %.300s", test.name, got.Body)
		}
	}
	genuine := fakeHandle(1, 1)
	got := askJSON(h, "ChangeMessageVisibilityBatch", `{"QueueUrl":"q","Entries":[{"Id":"a","ReceiptHandle":"`+genuine+`","VisibilityTimeout":0},
		{"Id":"b","ReceiptHandle":"`+genuine+`","VisibilityTimeout":43201},{"Id":"c","ReceiptHandle":"x","VisibilityTimeout":1}]}`)
	if text := got.Body.String(); !strings.HasPrefix(text, `{"Successful":[{"Id":"a"}],"Failed":[`) ||
		!strings.Contains(text, `{"Id":"b","SenderFault":true,"Code":"InvalidParameterValue"`) ||
		!strings.Contains(text, `{"Id":"c","SenderFault":true,"Code":"ReceiptHandleIsInvalid"`) {
		t.Error(text)
	}
}
