package sqs

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"flotilla/queue"
)

// Limits of the API. See docs/limits.md.
const (
	maxNameBytes         = 80
	maxMessageBytes      = 1 << 20 // body and attributes; of a batch, of all together
	maxMessageAttributes = 10
	maxAttributeName     = 256
	maxBatchEntries      = 10
	maxReceived          = 10
	maxWaitSeconds       = 20
	maxVisibilitySeconds = 12 * 3600
	maxDelaySeconds      = 15 * 60
	maxListed            = 1000
	maxMoveTasksListed   = 10
	maxMovedPerSecond    = 500
	maxTags              = 50
	maxPermitted         = 7   // actions of a permission
	maxIDBytes           = 128 // of a message group or a deduplication id
)

// accountDigits is how long the number of an AWS account is.
const accountDigits = 12

// fifoSuffix is what the names of FIFO queues, and of no others, end with.
const fifoSuffix = ".fifo"

// IsFIFO reports whether a queue of this name is a FIFO queue.
func IsFIFO(queue string) bool { return strings.HasSuffix(queue, fifoSuffix) }

// nameError returns nil for a name that a queue may have.
func nameError(name string) error {
	base := strings.TrimSuffix(name, fifoSuffix)
	if base != "" && len(name) <= maxNameBytes && hasOnly(base, isWord) {
		return nil
	}
	if IsFIFO(name) {
		return Errorf(InvalidParameterValue, "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "+
			"must end with .fifo suffix and be 1 to 80 in length")
	}
	return Errorf(InvalidParameterValue, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
}

func hasOnly(s string, allowed func(c byte) bool) bool {
	for i := range len(s) {
		if !allowed(s[i]) {
			return false
		}
	}
	return true
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// isPrintable is what ids of groups and deduplication consist of: letters, digits
// and punctuation.
func isPrintable(c byte) bool { return c > ' ' && c < 0x7f }

// A checker is a request with more to check than what it needs to have.
type checker interface{ check(h *Handler) error }

func (r *CreateQueueRequest) check(*Handler) error {
	isFIFO := r.Attributes["FifoQueue"] == "true"
	if isFIFO != IsFIFO(r.QueueName) {
		if isFIFO {
			return nameError("?" + fifoSuffix)
		}
		return nameError("?")
	}
	if err := nameError(r.QueueName); err != nil {
		return err
	}
	return checkTags(r.Tags)
}

func (r *GetQueueURLRequest) check(*Handler) error {
	if nameError(r.QueueName) != nil || r.QueueOwnerAWSAccountID != "" && r.QueueOwnerAWSAccountID != Account {
		return NoSuchQueue() // no queue can have this name, or nobody but us this queue
	}
	return nil
}

func (r *ListQueuesRequest) check(*Handler) error {
	return within(r.MaxResults, 1, maxListed, "MaxResults")
}

func (r *ListDeadLetterSourceQueuesRequest) check(*Handler) error {
	return within(r.MaxResults, 1, maxListed, "MaxResults")
}

// toldAttributes are those of a queue that nobody sets, and all of them together.
var toldAttributes = []string{"All", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed",
	"ApproximateNumberOfMessagesNotVisible", "CreatedTimestamp", "LastModifiedTimestamp", "QueueArn"}

func (r *GetQueueAttributesRequest) check(*Handler) error {
	for _, name := range r.AttributeNames {
		if !queue.IsAttribute(name) && !slices.Contains(toldAttributes, name) {
			return Errorf(InvalidAttributeName, "Unknown Attribute %s.", shortened(name))
		}
	}
	return nil
}

func (r *TagQueueRequest) check(*Handler) error { return checkTags(r.Tags) }

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return Errorf(InvalidParameterValue, "Too many tags added for queue: at most %d.", maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if err := queue.CheckTag(key, tags[key]); err != nil {
			return ofMachine(err)
		}
	}
	return nil
}

func (r *AddPermissionRequest) check(*Handler) error {
	if len(r.Label) > maxNameBytes || !hasOnly(r.Label, isWord) {
		return invalid(shortened(r.Label), "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	for _, account := range r.AWSAccountIDs {
		if len(account) != accountDigits || !isDigits(account) {
			return Errorf(InvalidParameterValue, "Value [%s] for parameter PrincipalId is invalid. Reason: Unable to verify.", shortened(account))
		}
	}
	if len(r.Actions) > maxPermitted {
		return Errorf(OverLimit, "%d Actions were found, maximum allowed is %d.", len(r.Actions), maxPermitted)
	}
	for _, name := range r.Actions {
		if !isPermission(name) {
			return invalid("SQS:"+shortened(name), "ActionName", "Please refer to the appropriate WSDL for a list of valid actions. ")
		}
	}
	return nil
}

func isPermission(name string) bool {
	return slices.Contains([]string{"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl"}, name)
}

func (r *StartMessageMoveTaskRequest) check(*Handler) (err error) {
	if r.SourceQueue, err = queueOfARN(r.SourceARN, "SourceArn"); err != nil {
		return err
	}
	if r.DestinationARN != "" {
		if r.DestinationQueue, err = queueOfARN(r.DestinationARN, "DestinationArn"); err != nil {
			return err
		}
	}
	return within(r.MaxNumberOfMessagesPerSecond, 1, maxMovedPerSecond, "MaxNumberOfMessagesPerSecond")
}

func (r *ListMessageMoveTasksRequest) check(*Handler) (err error) {
	if r.SourceQueue, err = queueOfARN(r.SourceARN, "SourceArn"); err != nil {
		return err
	}
	return within(r.MaxResults, 1, maxMoveTasksListed, "MaxResults")
}

func queueOfARN(arn, parameter string) (string, error) {
	if strings.Count(arn, ":") != 5 || !strings.HasPrefix(arn, "arn:") {
		return "", Errorf(InvalidParameterValue, "You must use this format to specify the %s: "+
			"arn:<partition>:<service>:<region>:<account-id>:<resource-id>", parameter)
	}
	queue, ok := QueueOfARN(arn)
	if !ok {
		return "", noSuchResource(parameter)
	}
	return queue, nil
}

func noSuchResource(parameter string) *Error {
	return Errorf(ResourceNotFound, "The resource that you specified for the %s parameter doesn't exist.", parameter)
}

func (r *ReceiveMessageRequest) check(*Handler) error {
	if n := r.MaxNumberOfMessages; n != nil && (*n < 1 || *n > maxReceived) {
		return invalid(strconv.FormatInt(*n, 10), "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
	}
	if err := within(r.WaitTimeSeconds, 0, maxWaitSeconds, "WaitTimeSeconds"); err != nil {
		return err
	}
	if err := within(r.VisibilityTimeout, 0, maxVisibilitySeconds, "VisibilityTimeout"); err != nil {
		return err
	}
	return checkID(r.ReceiveRequestAttemptID, "ReceiveRequestAttemptId")
}

// within checks a number that may be absent.
func within(n *int64, least, most int64, parameter string) error {
	if n == nil || *n >= least && *n <= most {
		return nil
	}
	return invalid(strconv.FormatInt(*n, 10), parameter,
		"Must be >= "+strconv.FormatInt(least, 10)+" and <= "+strconv.FormatInt(most, 10)+", if provided.")
}

func checkID(id, parameter string) error {
	if len(id) > maxIDBytes || !hasOnly(id, isPrintable) {
		return invalid(shortened(id), parameter, parameter+" can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

func (r *DeleteMessageRequest) check(*Handler) error { return r.handle.check() }

func (r *ChangeMessageVisibilityRequest) check(*Handler) error {
	if err := r.handle.check(); err != nil {
		return err
	}
	return checkVisibility(r.VisibilityTimeout)
}

func checkVisibility(seconds *int64) error {
	if *seconds < 0 || *seconds > maxVisibilitySeconds {
		return invalid(strconv.FormatInt(*seconds, 10), "VisibilityTimeout", "VisibilityTimeout must be an integer between 0 and 43200.")
	}
	return nil
}

func (r *SendMessageRequest) check(*Handler) error {
	if r.Size() > maxMessageBytes {
		return TooLong(maxMessageBytes)
	}
	if IsFIFO(r.Queue) && r.MessageGroupID == "" {
		return Errorf(MissingParameter, "The request must contain the parameter MessageGroupId.")
	}
	return r.Body.check(r.Queue)
}

// check checks a message, apart from its size.
func (m *Body) check(queue string) error {
	if !isText(m.MessageBody) {
		return Errorf(InvalidMessageContents, "Invalid binary character was found in the message body, the set of allowed characters is "+
			"#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
	}
	if err := within(m.DelaySeconds, 0, maxDelaySeconds, "DelaySeconds"); err != nil {
		return err
	}
	if err := m.checkKind(queue); err != nil {
		return err
	}
	if err := checkID(m.MessageGroupID, "MessageGroupId"); err != nil {
		return err
	}
	if err := checkID(m.MessageDeduplicationID, "MessageDeduplicationId"); err != nil {
		return err
	}
	if len(m.MessageAttributes) > maxMessageAttributes {
		return Errorf(InvalidParameterValue, "Number of message attributes [%d] exceeds the allowed maximum [%d].", len(m.MessageAttributes), maxMessageAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(m.MessageAttributes)) {
		if err := checkMessageAttribute(name, m.MessageAttributes[name]); err != nil {
			return err
		}
	}
	if _, _, err := m.extras(); err != nil {
		return err
	}
	return m.checkSystemAttributes()
}

// checkKind checks what only one of the two kinds of queues takes.
func (m *Body) checkKind(queue string) error {
	if IsFIFO(queue) && m.DelaySeconds != nil && *m.DelaySeconds != 0 {
		return invalid(strconv.FormatInt(*m.DelaySeconds, 10), "DelaySeconds", "The request include parameter that is not valid for this queue type.")
	}
	if !IsFIFO(queue) && m.MessageDeduplicationID != "" {
		return invalid(shortened(m.MessageDeduplicationID), "MessageDeduplicationId", "The request includes a parameter that is not valid for this queue type.")
	}
	return nil
}

func (m *Body) checkSystemAttributes() error {
	for name, value := range m.MessageSystemAttributes {
		if name != "AWSTraceHeader" {
			return Errorf(InvalidParameterValue, "Message system attribute name '%s' is invalid.", shortened(name))
		}
		if value.DataType != "String" || value.StringValue == "" || !isText(value.StringValue) {
			return Errorf(InvalidParameterValue, "Message system attribute 'AWSTraceHeader' must contain a non-empty value of type 'String'.")
		}
	}
	return nil
}

// Size is what counts against a queue's MaximumMessageSize: the body, and of each
// attribute its name, type and value. System attributes are free, as on AWS.
func (m *Body) Size() int {
	size := len(m.MessageBody)
	for name, value := range m.MessageAttributes {
		size += len(name) + len(value.DataType) + len(value.StringValue) + len(value.BinaryValue)
	}
	return size
}

// isText reports whether all characters may stand in a message: those of XML 1.0.
func isText(s string) bool {
	for _, r := range s {
		isControl := r < ' ' && r != '\t' && r != '\n' && r != '\r'
		if isControl || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}
