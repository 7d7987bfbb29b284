package sqs

// What is wrong with a batch as a whole fails the request; what is wrong with one
// entry only fails that one. The door takes such entries out before a Service sees
// the batch, and adds them to what failed.

// failures are the entries that were taken out.
type failures struct{ failed []BatchError }

func (f *failures) fail(id string, err error) { f.failed = append(f.failed, NewBatchError(id, err)) }

// checkBatch checks the ids of n entries.
func checkBatch(kind string, n int, id func(i int) string) error {
	if n == 0 {
		return Errorf(EmptyBatchRequest, "There should be at least one %s in the request.", kind)
	}
	if n > maxBatchEntries {
		return Errorf(TooManyEntriesInBatchRequest, "Maximum number of entries per request are %d. You have sent %d.", maxBatchEntries, n)
	}
	seen := map[string]bool{}
	for i := range n {
		name := id(i)
		if name == "" || len(name) > maxNameBytes || !hasOnly(name, isWord) {
			return Errorf(InvalidBatchEntryID, "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "+
				"It can be at most 80 letters long.")
		}
		if seen[name] {
			return Errorf(BatchEntryIdsNotDistinct, "Id %s repeated.", name)
		}
		seen[name] = true
	}
	return nil
}

func (r *SendMessageBatchRequest) check(*Handler) error {
	if err := checkBatch("SendMessageBatchRequestEntry", len(r.Entries), func(i int) string { return r.Entries[i].ID }); err != nil {
		return err
	}
	total := 0
	for i := range r.Entries {
		total += r.Entries[i].Size()
		if IsFIFO(r.Queue) && r.Entries[i].MessageGroupID == "" {
			return Errorf(InvalidParameterValue, "The request must contain the parameter MessageGroupId.")
		}
	}
	if total > maxMessageBytes {
		return Errorf(BatchRequestTooLong, "Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessageBytes, total)
	}
	kept := r.Entries[:0]
	for _, entry := range r.Entries {
		if err := entry.check(r.Queue); err != nil {
			r.fail(entry.ID, err)
			continue
		}
		kept = append(kept, entry)
	}
	r.Entries = kept
	return nil
}

func (r *DeleteMessageBatchRequest) check(*Handler) error {
	if err := checkBatch("DeleteMessageBatchRequestEntry", len(r.Entries), func(i int) string { return r.Entries[i].ID }); err != nil {
		return err
	}
	kept := r.Entries[:0]
	for _, entry := range r.Entries {
		if err := entry.handle.check(); err != nil {
			r.fail(entry.ID, err)
			continue
		}
		kept = append(kept, entry)
	}
	r.Entries = kept
	return nil
}

func (r *ChangeMessageVisibilityBatchRequest) check(*Handler) error {
	if err := checkBatch("ChangeMessageVisibilityBatchRequestEntry", len(r.Entries), func(i int) string { return r.Entries[i].ID }); err != nil {
		return err
	}
	kept := r.Entries[:0]
	for _, entry := range r.Entries {
		err := entry.handle.check()
		if err == nil {
			err = checkVisibility(entry.VisibilityTimeout)
		}
		if err != nil {
			r.fail(entry.ID, err)
			continue
		}
		kept = append(kept, entry)
	}
	r.Entries = kept
	return nil
}

// A completer is a result to which the door adds what it knows itself.
type completer interface{ complete(h *Handler, in shape) }

func (r *DeleteMessageBatchResult) complete(_ *Handler, in shape) {
	r.Failed = append(r.Failed, in.(*DeleteMessageBatchRequest).failed...)
}

func (r *ChangeMessageVisibilityBatchResult) complete(_ *Handler, in shape) {
	r.Failed = append(r.Failed, in.(*ChangeMessageVisibilityBatchRequest).failed...)
}

func (r *SendMessageBatchResult) complete(_ *Handler, in shape) {
	sent := in.(*SendMessageBatchRequest)
	for i := range r.Successful {
		for j := range sent.Entries {
			if sent.Entries[j].ID == r.Successful[i].ID {
				r.Successful[i].Sums = sent.Entries[j].sums()
			}
		}
	}
	r.Failed = append(r.Failed, sent.failed...)
}

func (r *SendMessageResult) complete(_ *Handler, in shape) { r.Sums = in.(*SendMessageRequest).sums() }

func (r *ReceiveMessageResult) complete(_ *Handler, in shape) {
	asked := in.(*ReceiveMessageRequest)
	system := append(append([]string{}, asked.AttributeNames...), asked.MessageSystemAttributeNames...)
	for i := range r.Messages {
		m := &r.Messages[i]
		m.Attributes = pick(m.Attributes, system)
		m.MessageAttributes = pick(m.MessageAttributes, asked.MessageAttributeNames)
		m.MD5OfBody, m.MD5OfMessageAttributes = bodySum(m.Body), attributeSum(m.MessageAttributes)
	}
}
