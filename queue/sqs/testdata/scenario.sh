# Speaks to the door as users of the aws command line do. Arguments: program, endpoint.
set -eu
aws() { "$program" --endpoint-url "$endpoint" --region eu-west-1 --output text sqs "$@"; }
program=$1 endpoint=$2
jobs=$(aws create-queue --queue-name jobs --attributes VisibilityTimeout=45)
test "$jobs" = "$endpoint/000000000000/jobs"
aws send-message --queue-url "$jobs" --message-body 'héllo <&>' \
	--message-attributes '{"Blob":{"DataType":"Binary","BinaryValue":"AP8="},"Text":{"DataType":"String","StringValue":"x"}}' >/dev/null
aws send-message-batch --queue-url "$jobs" --entries Id=a,MessageBody=1 Id=b,MessageBody=2,DelaySeconds=3 >/dev/null
handle=$(aws receive-message --queue-url "$jobs" --attribute-names All --message-attribute-names All --query 'Messages[0].ReceiptHandle')
aws change-message-visibility --queue-url "$jobs" --receipt-handle "$handle" --visibility-timeout 120
aws delete-message --queue-url "$jobs" --receipt-handle "$handle"
aws get-queue-attributes --queue-url "$jobs" --attribute-names ApproximateNumberOfMessages VisibilityTimeout >/dev/null
aws tag-queue --queue-url "$jobs" --tags k=v
aws list-queue-tags --queue-url "$jobs" >/dev/null
aws purge-queue --queue-url "$jobs"
test "$(aws receive-message --queue-url "$jobs" --query 'Messages')" = None
if aws delete-message --queue-url "$jobs" --receipt-handle nonsense 2>"$TMPDIR/err"; then exit 1; fi
grep -q '(ReceiptHandleIsInvalid)' "$TMPDIR/err"
aws delete-queue --queue-url "$jobs"
if aws get-queue-url --queue-name jobs 2>"$TMPDIR/err"; then exit 1; fi
grep -q '(AWS.SimpleQueueService.NonExistentQueue)' "$TMPDIR/err"
