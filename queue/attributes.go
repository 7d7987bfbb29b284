package queue

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// The attributes of a queue that are numbers, switches or a choice of words: their
// places in settings.values, which is part of the format on disk.
const (
	visibilityTimeout = iota
	delaySeconds
	messageRetentionPeriod
	maximumMessageSize
	receiveWaitSeconds
	fifoQueue
	contentBasedDeduplication
	deduplicationScope
	fifoThroughputLimit
	kmsReuseSeconds
	sqsManagedSSE
	fencing
	retryBackoff
	retryBackoffSeconds
	retryBackoffMaxSeconds
	retryBackoffJitter
	inFlightCap
	rateLimit
	groupRateLimit
	partitions
	resultRetentionPeriod
	groupInFlightCap
	valueCount
)

// Those that are text.
const (
	policy = iota
	kmsMasterKey
	redrivePolicy
	redriveAllowPolicy
	textCount
)

// The words of retryBackoff and deduplicationScope that the machine asks for.
const (
	backoffFixed       = 1
	backoffExponential = 2
	scopeMessageGroup  = 1
)

// attribute is a queue's attribute with its range, or with its words.
type attribute struct {
	name          string
	least, most   int64
	standard      int64
	words         []string // then the value is an index
	isFIFO        bool     // makes sense for a FIFO queue only
	isAtCreation  bool     // can not be changed later
	isOnlyIfGiven bool     // not shown while it has its standard value
}

var bools = []string{"false", "true"}

// attributeTable has the attributes in the order of their places.
var attributeTable = [valueCount]attribute{
	visibilityTimeout:         {name: "VisibilityTimeout", most: MaxVisibilitySeconds, standard: 30},
	delaySeconds:              {name: "DelaySeconds", most: MaxDelaySeconds},
	messageRetentionPeriod:    {name: "MessageRetentionPeriod", least: 60, most: 1209600, standard: 345600},
	maximumMessageSize:        {name: "MaximumMessageSize", least: 1024, most: MaxMessageBytes, standard: MaxMessageBytes},
	receiveWaitSeconds:        {name: "ReceiveMessageWaitTimeSeconds", most: 20},
	fifoQueue:                 {name: "FifoQueue", words: bools, isFIFO: true, isAtCreation: true},
	contentBasedDeduplication: {name: "ContentBasedDeduplication", words: bools, isFIFO: true},
	deduplicationScope:        {name: "DeduplicationScope", words: []string{"queue", "messageGroup"}, isFIFO: true},
	fifoThroughputLimit:       {name: "FifoThroughputLimit", words: []string{"perQueue", "perMessageGroupId"}, isFIFO: true},
	kmsReuseSeconds:           {name: "KmsDataKeyReusePeriodSeconds", least: 60, most: 86400, standard: 300, isOnlyIfGiven: true},
	sqsManagedSSE:             {name: "SqsManagedSseEnabled", words: bools},
	fencing:                   {name: "Fencing", words: []string{"sqs", "strict"}, isOnlyIfGiven: true},
	retryBackoff:              {name: "RetryBackoff", words: []string{"none", "fixed", "exponential"}, isOnlyIfGiven: true},
	retryBackoffSeconds:       {name: "RetryBackoffSeconds", most: MaxVisibilitySeconds, standard: 1, isOnlyIfGiven: true},
	retryBackoffMaxSeconds:    {name: "RetryBackoffMaxSeconds", most: MaxVisibilitySeconds, standard: 3600, isOnlyIfGiven: true},
	retryBackoffJitter:        {name: "RetryBackoffJitterPercent", most: 100, isOnlyIfGiven: true},
	inFlightCap:               {name: "MaxInFlight", most: MaxInFlight, isOnlyIfGiven: true},
	rateLimit:                 {name: "RateLimit", most: 100000, isOnlyIfGiven: true},
	groupRateLimit:            {name: "GroupRateLimit", most: 100000, isOnlyIfGiven: true},
	partitions:                {name: "Partitions", least: 1, most: MaxPartitions, standard: 1, isAtCreation: true, isOnlyIfGiven: true},
	resultRetentionPeriod:     {name: "ResultRetentionPeriod", most: 1209600, isOnlyIfGiven: true},
	groupInFlightCap:          {name: "GroupMaxInFlight", most: MaxInFlight, isOnlyIfGiven: true},
}

var textNames = [textCount]string{policy: "Policy", kmsMasterKey: "KmsMasterKeyId", redrivePolicy: "RedrivePolicy", redriveAllowPolicy: "RedriveAllowPolicy"}

// settings is what a queue's attributes say.
type settings struct {
	values [valueCount]int64
	texts  [textCount]string
	// Of the redrive policy: the queue for dead messages, "" for none, and the
	// receives after which a message is dead.
	deadTarget  string
	maxReceives int64
	// isDeadElsewhere says that the queue for dead messages is in another group.
	isDeadElsewhere bool
}

func (s *settings) fields(c *coder) {
	for i := range s.values {
		c.int(&s.values[i])
	}
	for i := range s.texts {
		c.text(&s.texts[i])
	}
	c.text(&s.deadTarget)
	c.int(&s.maxReceives)
	c.bool(&s.isDeadElsewhere)
}

func standardSettings() (s settings) {
	for i, a := range attributeTable {
		s.values[i] = a.standard
	}
	return s
}

func (s *settings) isFIFO() bool { return s.values[fifoQueue] == 1 }

// attributeAt returns the place of a number, switch or choice, or -1.
func attributeAt(name string) int {
	return slices.IndexFunc(attributeTable[:], func(a attribute) bool { return a.name == name })
}

// IsAttribute reports whether a queue has an attribute of that name that can be set.
func IsAttribute(name string) bool {
	return attributeAt(name) >= 0 || slices.Contains(textNames[:], name)
}

// setAll takes over attributes as they were given, of a queue that is, or will be, of
// a type.
func (s *settings) setAll(given []Pair, isFIFO, isCreation bool) *Error {
	for _, p := range given {
		if err := s.set(p, isFIFO, isCreation); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) set(p Pair, isFIFO, isCreation bool) *Error {
	if i := slices.Index(textNames[:], p.Name); i >= 0 {
		return s.setText(i, p.Value)
	}
	i := attributeAt(p.Name)
	if i < 0 {
		return unknownAttribute(p.Name)
	}
	a := attributeTable[i]
	if a.isFIFO && !isFIFO {
		return notFIFO(p.Name)
	}
	value, ok := a.parse(p.Value)
	if !ok {
		return invalidAttribute(p.Name)
	}
	if i == fifoQueue && value == 0 {
		return &Error{Code: CodeInvalidAttributeValue, Message: "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."}
	}
	if a.isAtCreation && !isCreation && value != s.values[i] {
		return &Error{Code: CodeInvalidAttributeName, Message: "The attribute " + p.Name + " can only be set when the queue is created."}
	}
	s.values[i] = value
	return nil
}

func unknownAttribute(name string) *Error {
	return &Error{Code: CodeInvalidAttributeName, Message: "Unknown Attribute " + name[:min(len(name), MaxIDBytes)] + "."}
}

func notFIFO(name string) *Error {
	if name == "DeduplicationScope" || name == "FifoThroughputLimit" {
		return &Error{Code: CodeInvalidAttributeName, Message: "You can specify the " + name + " only when FifoQueue is set to true."}
	}
	return unknownAttribute(name)
}

func (a *attribute) parse(text string) (value int64, ok bool) {
	if a.words != nil {
		i := slices.Index(a.words, text)
		return int64(i), i >= 0
	}
	value, err := strconv.ParseInt(text, 10, 64)
	return value, err == nil && value >= a.least && value <= a.most
}

func (a *attribute) render(value int64) string {
	if a.words != nil {
		return a.words[value]
	}
	return strconv.FormatInt(value, 10)
}

func (s *settings) setText(i int, value string) *Error {
	if len(value) > MaxPolicyBytes {
		return invalidAttribute(textNames[i])
	}
	switch i {
	case policy:
		if value != "" && !isPolicy(value) {
			return invalidAttribute(textNames[i])
		}
	case redrivePolicy:
		target, receives, err := parseRedrive(value)
		if err != nil {
			return err
		}
		s.deadTarget, s.maxReceives = target, receives
	case redriveAllowPolicy:
		if _, err := parseAllow(value); err != nil {
			return err
		}
	}
	s.texts[i] = value
	return nil
}

// checkName says whether a queue of a type may have a name.
func checkName(name string, isFIFO bool) *Error {
	if isName(name) && isFIFO == isFIFOName(name) {
		return nil
	}
	if isFIFO {
		return invalid("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	}
	return invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
}

// isFIFOName reports whether a queue of that name is a FIFO queue.
func isFIFOName(name string) bool { return strings.HasSuffix(name, ".fifo") }

// check says whether the settings fit together.
func (s *settings) check() *Error {
	if s.values[fifoThroughputLimit] == 1 && s.values[deduplicationScope] != scopeMessageGroup {
		return invalidAttribute("FifoThroughputLimit")
	}
	if err := s.checkPartitions(); err != nil {
		return err
	}
	if s.texts[kmsMasterKey] != "" && s.values[sqsManagedSSE] == 1 {
		return &Error{Code: CodeInvalidAttributeName, Message: "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."}
	}
	if s.deadTarget != "" && isFIFOName(s.deadTarget) != s.isFIFO() {
		return badPolicy(redrivePolicy, s.texts[redrivePolicy], "Dead-letter queue must be same type of queue as the source.")
	}
	return nil
}

func badPolicy(i int, value, reason string) *Error {
	return invalid("Value " + value + " for parameter " + textNames[i] + " is invalid. Reason: " + reason)
}

// checkPartitions says whether the settings are ones for a queue of so many partitions:
// each of these needs a part of every limit, and deduplicates for itself.
func (s *settings) checkPartitions() *Error {
	n := s.values[partitions]
	if n == 1 {
		return nil
	}
	if s.isFIFO() && s.values[deduplicationScope] != scopeMessageGroup {
		return &Error{Code: CodeInvalidAttributeValue,
			Message: "Invalid value for the parameter DeduplicationScope. A FIFO queue with Partitions needs DeduplicationScope=messageGroup."}
	}
	for _, i := range []int{inFlightCap, rateLimit, groupRateLimit, groupInFlightCap} {
		isUndivided := (i == groupRateLimit || i == groupInFlightCap) && s.isFIFO()
		if v := s.values[i]; v > 0 && v < n && !isUndivided {
			return &Error{Code: CodeInvalidAttributeValue, Message: "Invalid value for the parameter " + attributeTable[i].name +
				". It is divided among the queue's Partitions, so it must not be less than these."}
		}
	}
	return nil
}

// pairs returns the attributes as GetQueueAttributes shows them.
func (s *settings) pairs() (all []Pair) {
	for i, a := range attributeTable {
		if a.isFIFO && !s.isFIFO() || a.isOnlyIfGiven && s.values[i] == a.standard {
			continue
		}
		all = append(all, Pair{a.name, a.render(s.values[i])})
	}
	for i, text := range s.texts {
		if text != "" {
			all = append(all, Pair{textNames[i], text})
		}
	}
	return all
}

// nameOfARN returns the name of the queue that a resource name means, of any region and
// account, or that stands alone; "" if it is none.
func nameOfARN(arn string) string {
	if parts := strings.Split(arn, ":"); len(parts) == 6 && parts[0] == "arn" && parts[2] == "sqs" {
		arn = parts[5]
	}
	if !isName(arn) {
		return ""
	}
	return arn
}

// parseRedrive reads {"deadLetterTargetArn": ..., "maxReceiveCount": 5 or "5"}. An
// empty text is no policy.
func parseRedrive(text string) (target string, receives int64, err *Error) {
	if text == "" {
		return "", 0, nil
	}
	wrong := func(reason string) (string, int64, *Error) { return "", 0, badPolicy(redrivePolicy, text, reason) }
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return wrong("Redrive policy is not a valid JSON map.")
	}
	for _, name := range []string{"deadLetterTargetArn", "maxReceiveCount"} {
		if members[name] == nil {
			return wrong("Redrive policy does not contain mandatory attribute: " + name + ".")
		}
	}
	var arn string
	_ = json.Unmarshal(members["deadLetterTargetArn"], &arn) // what is no string is no name
	if target = nameOfARN(arn); target == "" {
		return wrong("Invalid value for deadLetterTargetArn.")
	}
	count := strings.Trim(string(members["maxReceiveCount"]), `"`)
	receives, failure := strconv.ParseInt(count, 10, 64)
	if failure != nil || receives < 1 || receives > MaxReceives {
		return wrong("Invalid value for maxReceiveCount: " + count + ", valid values are from 1 to 1000 both inclusive.")
	}
	return target, receives, nil
}

// allowPolicy says which queues may use a queue for their dead messages.
type allowPolicy struct {
	Permission string   `json:"redrivePermission"`
	Sources    []string `json:"sourceQueueArns"`
}

func parseAllow(text string) (p allowPolicy, err *Error) {
	if text == "" {
		return allowPolicy{Permission: "allowAll"}, nil
	}
	wrong := func(reason string) (allowPolicy, *Error) { return p, badPolicy(redriveAllowPolicy, text, reason) }
	if json.Unmarshal([]byte(text), &p) != nil {
		return wrong("Redrive allow policy is not a valid JSON map.")
	}
	isByQueue := p.Permission == "byQueue"
	if !isByQueue && p.Permission != "allowAll" && p.Permission != "denyAll" {
		return wrong("redrivePermission must be allowAll, denyAll or byQueue.")
	}
	if isByQueue != (len(p.Sources) > 0) || len(p.Sources) > MaxSourceQueues {
		return wrong("sourceQueueArns must have 1 to 10 ARNs with byQueue, and none otherwise.")
	}
	for _, arn := range p.Sources {
		if nameOfARN(arn) == "" {
			return wrong("Invalid value in sourceQueueArns: " + arn + ".")
		}
	}
	return p, nil
}

// allows reports whether the queue may take dead messages of another.
func (s *settings) allows(source string) bool {
	p, _ := parseAllow(s.texts[redriveAllowPolicy])
	if p.Permission == "byQueue" {
		return slices.ContainsFunc(p.Sources, func(arn string) bool { return nameOfARN(arn) == source })
	}
	return p.Permission == "allowAll"
}

// isName reports whether a queue may have the name.
func isName(name string) bool {
	base := strings.TrimSuffix(name, ".fifo")
	if base == "" || len(name) > MaxNameBytes {
		return false
	}
	return !strings.ContainsFunc(base, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
