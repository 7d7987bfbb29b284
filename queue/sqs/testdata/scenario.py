# Speaks to the door as users of boto3 do. Arguments: endpoint.
import sys
import boto3
from botocore.exceptions import ClientError

sqs = boto3.client("sqs", endpoint_url=sys.argv[1], region_name="eu-west-1",
                   aws_access_key_id="AKIDTEST", aws_secret_access_key="secret/with+signs")


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
        return e
    raise AssertionError("expected " + code)


jobs = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "45", "DelaySeconds": "0"}, tags={"team": "a&b=ü"})["QueueUrl"]
assert jobs.startswith(sys.argv[1] + "/000000000000/"), jobs
assert sqs.get_queue_url(QueueName="jobs")["QueueUrl"] == jobs
assert sqs.list_queues()["QueueUrls"] == [jobs]
assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="none")
assert sqs.get_queue_attributes(QueueUrl=jobs, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"] == "45"
sqs.set_queue_attributes(QueueUrl=jobs, Attributes={"VisibilityTimeout": "60", "RedrivePolicy":
    '{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000000:dead","maxReceiveCount":"5"}'})
assert "Messages" not in sqs.receive_message(QueueUrl=jobs, WaitTimeSeconds=1)

sent = sqs.send_message(QueueUrl=jobs, MessageBody='<a & "b">\r\n\té 😀', DelaySeconds=0, MessageAttributes={
    "Text": {"DataType": "String", "StringValue": "x y+z"},
    "Count": {"DataType": "Number.int", "StringValue": "-12.5e3"},
    "Blob": {"DataType": "Binary.gif", "BinaryValue": b"\x00\xff\n"}},
    MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"}})
assert len(sent["MD5OfMessageAttributes"]) == 32 and len(sent["MD5OfMessageSystemAttributes"]) == 32
got = sqs.receive_message(QueueUrl=jobs, AttributeNames=["All"], MessageAttributeNames=["All"], MaxNumberOfMessages=10)["Messages"][0]
assert got["Body"] == '<a & "b">\r\n\té 😀', got
assert got["MessageAttributes"]["Blob"]["BinaryValue"] == b"\x00\xff\n", got
assert got["Attributes"]["AWSTraceHeader"] == "Root=1-5759e988"
assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
sqs.change_message_visibility(QueueUrl=jobs, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
got = sqs.receive_message(QueueUrl=jobs)["Messages"][0]
assert "Attributes" not in got and "MessageAttributes" not in got
sqs.delete_message(QueueUrl=jobs, ReceiptHandle=got["ReceiptHandle"])

batch = sqs.send_message_batch(QueueUrl=jobs, Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2", "MessageAttributes": {
    "Blob": {"DataType": "Binary", "BinaryValue": b"\x01"}}}, {"Id": "c", "MessageBody": "3", "DelaySeconds": 901}])
assert [e["Id"] for e in batch["Successful"]] == ["a", "b"] and batch["Failed"][0]["SenderFault"] is True, batch
handles = [m["ReceiptHandle"] for m in sqs.receive_message(QueueUrl=jobs, MaxNumberOfMessages=10)["Messages"]]
changed = sqs.change_message_visibility_batch(QueueUrl=jobs, Entries=[
    {"Id": str(i), "ReceiptHandle": h, "VisibilityTimeout": 90} for i, h in enumerate(handles)])
assert len(changed["Successful"]) == 2 and "Failed" not in changed
gone = sqs.delete_message_batch(QueueUrl=jobs, Entries=[{"Id": "x", "ReceiptHandle": handles[0]}, {"Id": "y", "ReceiptHandle": "AQEB"}])
assert gone["Successful"] == [{"Id": "x"}] and gone["Failed"][0]["Code"] == "ReceiptHandleIsInvalid", gone

fifo = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
assert sqs.send_message(QueueUrl=fifo, MessageBody="m", MessageGroupId="g")["SequenceNumber"]
sqs.purge_queue(QueueUrl=fifo)

sqs.tag_queue(QueueUrl=jobs, Tags={"k": "v"})
sqs.untag_queue(QueueUrl=jobs, TagKeys=["k"])
assert sqs.list_queue_tags(QueueUrl=jobs)["Tags"] == {"team": "a&b=ü"}
sqs.add_permission(QueueUrl=jobs, Label="l", AWSAccountIds=["000000000000"], Actions=["SendMessage", "ReceiveMessage"])
sqs.remove_permission(QueueUrl=jobs, Label="l")
dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [jobs]
if hasattr(sqs, "start_message_move_task"):
    arn = "arn:aws:sqs:eu-west-1:000000000000:dead"
    task = sqs.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=5)["TaskHandle"]
    assert sqs.list_message_move_tasks(SourceArn=arn, MaxResults=3)["Results"][0]["ApproximateNumberOfMessagesMoved"] == 3
    assert sqs.cancel_message_move_task(TaskHandle=task)["ApproximateNumberOfMessagesMoved"] == 0

e = refused("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="nothing")
assert isinstance(e, sqs.exceptions.QueueDoesNotExist) and e.response["ResponseMetadata"]["HTTPStatusCode"] == 400
refused("InvalidParameterValue", sqs.receive_message, QueueUrl=jobs, MaxNumberOfMessages=11)
refused("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=jobs, ReceiptHandle="garbage")
refused("AWS.SimpleQueueService.EmptyBatchRequest", sqs.delete_message_batch, QueueUrl=jobs, Entries=[])
refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=jobs,
        Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "a", "MessageBody": "1"}])
refused("InvalidAttributeName", sqs.set_queue_attributes, QueueUrl=jobs, Attributes={"Nonsense": "1"})
sqs.delete_queue(QueueUrl=dead)
