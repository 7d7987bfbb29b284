package queue

import "testing"

func TestQueueAttributesHaveTheirRanges(t *testing.T) {
	const arn = "arn:aws:sqs:eu-west-1:000000000000:dead"
	l := newLab()
	l.create(t, "dead")
	for _, test := range []struct {
		name, value string
		isGood      bool
	}{
		{"VisibilityTimeout", "0", true}, {"VisibilityTimeout", "43200", true}, {"VisibilityTimeout", "43201", false}, {"VisibilityTimeout", "-1", false}, {"VisibilityTimeout", "x", false},
		{"DelaySeconds", "900", true}, {"DelaySeconds", "901", false}, {"MaximumMessageSize", "1024", true}, {"MaximumMessageSize", "1023", false},
		{"MaximumMessageSize", "1048576", true}, {"MaximumMessageSize", "1048577", false}, {"MessageRetentionPeriod", "60", true}, {"MessageRetentionPeriod", "59", false},
		{"MessageRetentionPeriod", "1209600", true}, {"MessageRetentionPeriod", "1209601", false}, {"ReceiveMessageWaitTimeSeconds", "20", true},
		{"ReceiveMessageWaitTimeSeconds", "21", false}, {"Policy", "", true}, {"Policy", "{", false},
		{"Policy", `{"Version":"2012-10-17","Statement":{"Sid":"a"}}`, true}, {"Policy", `{ "Statement" : [ { "Sid" : "a" } , { } ] }`, true}, {"Policy", "{}", false},
		{"Policy", "[]", false}, {"Policy", `"x"`, false}, {"Policy", "null", false}, {"Policy", `{"a":1}`, false}, {"Policy", `{"Statement":"x"}`, false},
		{"Policy", `{"Statement":null}`, false}, {"Policy", `{"Statement":[{},1]}`, false}, {"Policy", `{"Statement":[[]]}`, false}, {"SqsManagedSseEnabled", "yes", false},
		{"RedrivePolicy", "", true}, {"RedrivePolicy", `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":"3"}`, true},
		{"RedrivePolicy", `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":1000}`, true}, {"RedrivePolicy", `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":1001}`, false},
		{"RedrivePolicy", `{"deadLetterTargetArn":"` + arn + `","maxReceiveCount":0}`, false}, {"RedrivePolicy", `{"deadLetterTargetArn":"arn:aws:sns:x:0:dead","maxReceiveCount":1}`, false},
		{"RedrivePolicy", `{"maxReceiveCount":1}`, false}, {"RedrivePolicy", `{"deadLetterTargetArn":"` + arn + `"}`, false}, {"RedrivePolicy", `[]`, false},
		{"RedriveAllowPolicy", "", true}, {"RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`, true}, {"RedriveAllowPolicy", `{"redrivePermission":"some"}`, false},
		{"RedriveAllowPolicy", `{"redrivePermission":"byQueue","sourceQueueArns":["` + arn + `"]}`, true}, {"RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, false},
		{"RedriveAllowPolicy", `{"redrivePermission":"allowAll","sourceQueueArns":["` + arn + `"]}`, false}, {"RedriveAllowPolicy", `x`, false},
	} {
		if code := createCode(l, "q", test.name, test.value); (code == "") != test.isGood {
			t.Errorf("%s=%s: %s", test.name, test.value, code)
		}
		do[Done](l, &DeleteQueue{QueueName: "q"})
	}
	for name, value := range map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perQueue"} {
		if createCode(l, "q.fifo", "FifoQueue", "true", name, value) != "" || createCode(l, "q", name, value) == "" ||
			createCode(l, "r.fifo", "FifoQueue", "true", name, "x") == "" {
			t.Error(name)
		}
		do[Done](l, &DeleteQueue{QueueName: "q.fifo"})
	}
}
