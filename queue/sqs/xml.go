package sqs

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"strconv"
)

// namespace is the one of all answers of the Query protocol, and apiVersion the
// only version of it.
const (
	apiVersion = "2012-11-05"
	namespace  = "http://queue.amazonaws.com/doc/" + apiVersion + "/"
)

// renderXML renders a result of the Query protocol. An action without result has
// only the metadata; a result in which all is empty is an empty element.
func renderXML(action string, out shape, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?><` + action + `Response xmlns="` + namespace + `">`)
	if out != nil {
		result := action + "Result"
		start := b.Len()
		b.WriteString("<" + result + ">")
		empty := b.Len()
		writeXML(&b, out)
		if b.Len() == empty {
			b.Truncate(start)
			b.WriteString("<" + result + "/>")
		} else {
			b.WriteString("</" + result + ">")
		}
	}
	b.WriteString("<ResponseMetadata>")
	writeElement(&b, "RequestId", requestID)
	b.WriteString("</ResponseMetadata></" + action + "Response>")
	return b.Bytes()
}

// renderXMLError renders a failure of the Query protocol.
func renderXMLError(e *Error, requestID string) []byte {
	var b bytes.Buffer
	b.WriteString(`<?xml version="1.0"?><ErrorResponse xmlns="` + namespace + `"><Error>`)
	writeElement(&b, "Type", e.fault())
	writeElement(&b, "Code", e.Code())
	writeElement(&b, "Message", e.queryMessage())
	b.WriteString("<Detail/></Error>")
	writeElement(&b, "RequestId", requestID)
	b.WriteString("</ErrorResponse>")
	return b.Bytes()
}

// writeXML writes the fields of a shape. Lists and maps are flattened: one element
// for each item, and none around them.
func writeXML(b *bytes.Buffer, out shape) {
	for _, f := range out.fields(nil) {
		if !f.isEmpty() {
			writeField(b, f)
		}
	}
}

func writeField(b *bytes.Buffer, f field) {
	name := f.queryName()
	switch v := f.value.(type) {
	case *string:
		writeElement(b, name, *v)
	case **int64:
		writeElement(b, name, strconv.FormatInt(**v, 10))
	case *int64:
		writeElement(b, name, strconv.FormatInt(*v, 10))
	case *bool:
		writeElement(b, name, strconv.FormatBool(*v))
	case *[]byte:
		writeElement(b, name, base64.StdEncoding.EncodeToString(*v))
	case *[]string:
		for _, item := range *v {
			writeElement(b, name, item)
		}
	case *map[string]string:
		for _, key := range sortedKeys(*v) {
			b.WriteString("<" + name + ">")
			writeElement(b, f.keyName(), key)
			writeElement(b, "Value", (*v)[key])
			b.WriteString("</" + name + ">")
		}
	case *map[string]AttributeValue:
		for _, key := range sortedKeys(*v) {
			value := (*v)[key]
			b.WriteString("<" + name + ">")
			writeElement(b, f.keyName(), key)
			b.WriteString("<Value>")
			writeXML(b, &value)
			b.WriteString("</Value></" + name + ">")
		}
	case list:
		for i := range v.len() {
			b.WriteString("<" + name + ">")
			writeXML(b, v.at(i))
			b.WriteString("</" + name + ">")
		}
	}
}

func writeElement(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a buffer does not fail
	b.WriteString("</" + name + ">")
}
