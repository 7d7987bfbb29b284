package sqs

import (
	"strconv"
	"time"

	"flotilla"
)

// What a message may ask for beyond SQS, as message attributes, because these are what
// every client lets its users set. They stay among the message's attributes.
const (
	// priorityName is of type Number, from 0 to 9: the highest is received first.
	priorityName = "Flotilla.Priority"
	// scheduleName is when the message becomes visible: of type Number in milliseconds
	// since 1970, as SQS's own times are, or of type String as in RFC 3339.
	scheduleName = "Flotilla.ScheduledAt"
)

// extras reads them; the machine says how far they may go.
func (m *Body) extras() (priority int64, at flotilla.Millis, err error) {
	if value, ok := m.MessageAttributes[priorityName]; ok {
		if priority, err = strconv.ParseInt(value.StringValue, 10, 64); err != nil || value.DataType != "Number" {
			return 0, 0, invalid(shortened(value.StringValue), priorityName, "Must be a Number between 0 and 9.")
		}
	}
	if value, ok := m.MessageAttributes[scheduleName]; ok {
		if at, err = parseTime(value); err != nil {
			return 0, 0, invalid(shortened(value.StringValue), scheduleName,
				"Must be a Number of milliseconds since 1970, or a String such as 2030-01-31T12:00:00Z.")
		}
	}
	return priority, at, nil
}

func parseTime(value AttributeValue) (flotilla.Millis, error) {
	if value.DataType == "Number" {
		millis, err := strconv.ParseInt(value.StringValue, 10, 64)
		return flotilla.Millis(millis), err
	}
	at, err := time.Parse(time.RFC3339, value.StringValue)
	return flotilla.Millis(at.UnixMilli()), err
}
