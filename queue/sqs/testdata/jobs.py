# A whole life of queues by boto3, against a cluster. Arguments: the doors of its nodes.
import json
import sys
import threading
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

doors = sys.argv[1:]
nodes = [boto3.client("sqs", endpoint_url=door, region_name="eu-west-1",
                      aws_access_key_id="AKIDTEST", aws_secret_access_key="secret/with+signs") for door in doors]
sqs, other = nodes[0], nodes[-1]


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e.response
        return e.response["Error"]["Message"]
    raise AssertionError("expected " + code)


def query(action, **parameters):
    """What this boto3 may be too old to ask, in the Query protocol."""
    body = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **parameters})
    request = AWSRequest("POST", doors[0] + "/", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    SigV4Auth(boto3.Session("AKIDTEST", "secret/with+signs").get_credentials(), "sqs", "eu-west-1").add_auth(request)
    sent = urllib.request.Request(doors[0] + "/", body.encode(), dict(request.headers))
    tree = xml.etree.ElementTree.fromstring(urllib.request.urlopen(sent).read())
    return {e.tag.split("}")[1]: e.text for e in tree.iter()}


def counters(url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    got = other.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [int(got[name]) for name in names]


# Queues and their attributes.
dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
assert dead_arn == "arn:aws:sqs:eu-west-1:000000000000:dead", dead_arn
jobs = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "45"}, tags={"team": "a&b=ü"})["QueueUrl"]
assert other.get_queue_url(QueueName="jobs")["QueueUrl"] == doors[-1] + "/000000000000/jobs"
assert sorted(other.list_queues()["QueueUrls"]) == sorted(doors[-1] + "/000000000000/" + name for name in ["dead", "jobs"])
assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="none")
sqs.set_queue_attributes(QueueUrl=jobs, Attributes={"ReceiveMessageWaitTimeSeconds": "0", "Fencing": "strict",
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "2"})})
about = other.get_queue_attributes(QueueUrl=jobs, AttributeNames=["All"])["Attributes"]
assert about["VisibilityTimeout"] == "45" and about["Fencing"] == "strict" and about["MaximumMessageSize"] == "1048576", about
assert abs(int(about["CreatedTimestamp"]) - time.time()) < 60, about
assert other.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [doors[-1] + "/000000000000/jobs"]
assert "different value for attribute" in refused("QueueAlreadyExists", sqs.create_queue, QueueName="jobs", Attributes={"VisibilityTimeout": "1"})

# One message, with all that it can have.
assert "Messages" not in sqs.receive_message(QueueUrl=jobs)
sent = sqs.send_message(QueueUrl=jobs, MessageBody='<a & "b">\r\n\té 😀', MessageAttributes={
    "Text": {"DataType": "String", "StringValue": "x y+z"},
    "Count": {"DataType": "Number.int", "StringValue": "-12.5e3"},
    "Blob": {"DataType": "Binary.gif", "BinaryValue": b"\x00\xff\n"}},
    MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"}})
assert len(sent["MD5OfMessageSystemAttributes"]) == 32, sent
assert counters(jobs) == [1, 0, 0]
got = other.receive_message(QueueUrl=jobs, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"][0]
assert got["Body"] == '<a & "b">\r\n\té 😀' and got["MessageId"] == sent["MessageId"], got
assert got["MessageAttributes"]["Blob"]["BinaryValue"] == b"\x00\xff\n" and got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"], got
system = got["Attributes"]
assert system["AWSTraceHeader"] == "Root=1-5759e988" and system["ApproximateReceiveCount"] == "1" and system["SenderId"] == "AKIDTEST", system
assert counters(jobs) == [0, 1, 0]
sqs.change_message_visibility(QueueUrl=jobs, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
again = sqs.receive_message(QueueUrl=jobs, WaitTimeSeconds=5)["Messages"][0]
assert "Attributes" not in again and "MessageAttributes" not in again and again["ReceiptHandle"] != got["ReceiptHandle"], again
assert "expired" in refused("InvalidParameterValue", sqs.delete_message, QueueUrl=jobs, ReceiptHandle=got["ReceiptHandle"])

# Dead letters, and back.
sqs.change_message_visibility(QueueUrl=jobs, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
buried = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=10, AttributeNames=["All"])["Messages"][0]
assert buried["Attributes"]["DeadLetterQueueSourceArn"] == "arn:aws:sqs:eu-west-1:000000000000:jobs", buried
assert counters(jobs) == [0, 0, 0]
sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=buried["ReceiptHandle"], VisibilityTimeout=0)
query("StartMessageMoveTask", SourceArn=dead_arn)
back = sqs.receive_message(QueueUrl=jobs, WaitTimeSeconds=10)["Messages"][0]
assert back["Body"] == got["Body"], back
task = query("ListMessageMoveTasks", SourceArn=dead_arn)
assert task["ApproximateNumberOfMessagesMoved"] == "1" and task["ApproximateNumberOfMessagesToMove"] == "1", task
sqs.delete_message(QueueUrl=jobs, ReceiptHandle=back["ReceiptHandle"])

# A long poll is woken by what comes in elsewhere, delayed messages by their time.
waking = threading.Timer(1, lambda: other.send_message(QueueUrl=jobs, MessageBody="now"))
waking.start()
began = time.time()
woken = sqs.receive_message(QueueUrl=jobs, WaitTimeSeconds=20)["Messages"][0]
assert woken["Body"] == "now" and time.time() - began < 10, woken
waking.join()
sqs.delete_message(QueueUrl=jobs, ReceiptHandle=woken["ReceiptHandle"])
sqs.send_message(QueueUrl=jobs, MessageBody="later", DelaySeconds=1)
sqs.send_message(QueueUrl=jobs, MessageBody="urgent", MessageAttributes={"Flotilla.Priority": {"DataType": "Number", "StringValue": "9"}})
assert counters(jobs) == [1, 0, 1]
order = [sqs.receive_message(QueueUrl=jobs, WaitTimeSeconds=20)["Messages"][0] for _ in range(2)]
assert [m["Body"] for m in order] == ["urgent", "later"], order

# Batches.
gone = sqs.delete_message_batch(QueueUrl=jobs, Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(order)] +
    [{"Id": "x", "ReceiptHandle": "AQEB"}])
assert [e["Id"] for e in gone["Successful"]] == ["0", "1"] and gone["Failed"][0]["Code"] == "ReceiptHandleIsInvalid", gone
batch = sqs.send_message_batch(QueueUrl=jobs, Entries=[{"Id": str(i), "MessageBody": str(i)} for i in range(9)] +
    [{"Id": "late", "MessageBody": "x", "DelaySeconds": 901}])
assert len(batch["Successful"]) == 9 and batch["Failed"][0]["SenderFault"] is True, batch
ten = other.receive_message(QueueUrl=jobs, MaxNumberOfMessages=10)["Messages"]
assert sorted(m["Body"] for m in ten) == [str(i) for i in range(9)], ten
changed = sqs.change_message_visibility_batch(QueueUrl=jobs, Entries=[
    {"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 90} for m in ten])
assert len(changed["Successful"]) == 9 and "Failed" not in changed, changed
sqs.purge_queue(QueueUrl=jobs)
assert counters(jobs) == [0, 0, 0]
refused("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=jobs)

# A FIFO queue: order in a group, one lease a group, and one of two equal messages.
fifo = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
first = sqs.send_message(QueueUrl=fifo, MessageBody="a1", MessageGroupId="a")
assert other.send_message(QueueUrl=fifo, MessageBody="a1", MessageGroupId="a")["MessageId"] == first["MessageId"]
for body in ["b1", "a2", "b2"]:
    assert sqs.send_message(QueueUrl=fifo, MessageBody=body, MessageGroupId=body[0])["SequenceNumber"] > first["SequenceNumber"]
one = sqs.receive_message(QueueUrl=fifo, AttributeNames=["MessageGroupId", "SequenceNumber", "MessageDeduplicationId"])["Messages"][0]
assert one["Body"] == "a1" and one["Attributes"]["SequenceNumber"] == first["SequenceNumber"], one
others = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
assert [m["Body"] for m in others] == ["b1", "b2"], others
sqs.delete_message(QueueUrl=fifo, ReceiptHandle=one["ReceiptHandle"])
assert other.receive_message(QueueUrl=fifo, WaitTimeSeconds=5)["Messages"][0]["Body"] == "a2"
refused("MissingParameter", sqs.send_message, QueueUrl=fifo, MessageBody="x")

# Tags, permissions, and the end.
sqs.tag_queue(QueueUrl=jobs, Tags={"k": "v", "empty": ""})
sqs.untag_queue(QueueUrl=jobs, TagKeys=["k"])
assert other.list_queue_tags(QueueUrl=jobs)["Tags"] == {"team": "a&b=ü", "empty": ""}
sqs.add_permission(QueueUrl=jobs, Label="l", AWSAccountIds=["111122223333"], Actions=["SendMessage", "ReceiveMessage"])
refused("InvalidParameterValue", sqs.add_permission, QueueUrl=jobs, Label="l", AWSAccountIds=["1"], Actions=["*"])
policy = json.loads(other.get_queue_attributes(QueueUrl=jobs, AttributeNames=["Policy"])["Attributes"]["Policy"])
assert policy["Statement"][0]["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"], policy
sqs.remove_permission(QueueUrl=jobs, Label="l")
assert "Attributes" not in other.get_queue_attributes(QueueUrl=jobs, AttributeNames=["Policy"])
for url in [fifo, jobs, dead]:
    sqs.delete_queue(QueueUrl=url)
assert "not exist" in refused("AWS.SimpleQueueService.NonExistentQueue", other.receive_message, QueueUrl=jobs)
assert "QueueUrls" not in other.list_queues()
