package queue

import (
	"context"
	"strings"
)

// What doors ask a client for, command by command. A method takes a queue's name and
// sees to where the queue is; who calls it need not know of groups.

// SendMessageBatch sends messages to a queue.
func (c *Client) SendMessageBatch(ctx context.Context, command SendMessageBatch) (reply Sent, err error) {
	err = c.Do(ctx, command.QueueName, &command, &reply)
	return reply, err
}

// DeleteMessageBatch deletes messages by their receipt handles.
func (c *Client) DeleteMessageBatch(ctx context.Context, command DeleteMessageBatch) (reply Settled, err error) {
	err = c.Do(ctx, command.QueueName, &command, &reply)
	return reply, err
}

// ChangeMessageVisibilityBatch gives leases other ends.
func (c *Client) ChangeMessageVisibilityBatch(ctx context.Context, command ChangeMessageVisibilityBatch) (reply Settled, err error) {
	err = c.Do(ctx, command.QueueName, &command, &reply)
	return reply, err
}

// GetQueueAttributes returns all about a queue.
func (c *Client) GetQueueAttributes(ctx context.Context, queueName string) (reply QueueAttributes, err error) {
	err = c.Read(ctx, queueName, &GetQueueAttributes{QueueName: queueName}, &reply)
	return reply, err
}

// DeleteQueue deletes a queue with its messages.
func (c *Client) DeleteQueue(ctx context.Context, queueName string) error {
	return c.Do(ctx, queueName, &DeleteQueue{QueueName: queueName}, &Done{})
}

// PurgeQueue deletes a queue's messages.
func (c *Client) PurgeQueue(ctx context.Context, queueName string) error {
	return c.Do(ctx, queueName, &PurgeQueue{QueueName: queueName}, &Done{})
}

// TagQueue adds tags to a queue.
func (c *Client) TagQueue(ctx context.Context, command TagQueue) error {
	return c.Do(ctx, command.QueueName, &command, &Done{})
}

// UntagQueue removes tags of a queue.
func (c *Client) UntagQueue(ctx context.Context, command UntagQueue) error {
	return c.Do(ctx, command.QueueName, &command, &Done{})
}

// CancelMessageMoveTask stops a task, and returns how many messages it had moved.
func (c *Client) CancelMessageMoveTask(ctx context.Context, taskHandle string) (reply MoveCancelled, err error) {
	source, _, _ := strings.Cut(taskHandle, ":")
	err = c.Do(ctx, source, &CancelMessageMoveTask{SourceQueue: source, TaskHandle: taskHandle}, &reply)
	return reply, err
}

// ListMessageMoveTasks returns the tasks of a queue that are remembered, the newest first.
func (c *Client) ListMessageMoveTasks(ctx context.Context, sourceQueue string) (reply MoveTasks, err error) {
	err = c.Read(ctx, sourceQueue, &ListMessageMoveTasks{SourceQueue: sourceQueue}, &reply)
	return reply, err
}

// AddPermission adds a statement to a queue's policy.
func (c *Client) AddPermission(ctx context.Context, command AddPermission) error {
	return c.Do(ctx, command.QueueName, &command, &Done{})
}

// RemovePermission takes a statement out of a queue's policy.
func (c *Client) RemovePermission(ctx context.Context, command RemovePermission) error {
	return c.Do(ctx, command.QueueName, &command, &Done{})
}
