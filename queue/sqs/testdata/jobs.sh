# A whole life of queues by the aws command line, against a cluster. Arguments: program, door, another node's door.
set -eu
program=$1 door=$2 other=$3
aws() { "$program" --endpoint-url "$door" --region eu-west-1 --output text sqs "$@"; }
fail() { echo "$1" >&2; exit 1; }

dead=$(aws create-queue --queue-name dead)
jobs=$(aws create-queue --queue-name jobs --attributes VisibilityTimeout=45)
test "$jobs" = "$door/000000000000/jobs" || fail "address: $jobs"
aws set-queue-attributes --queue-url "$jobs" --attributes \
	'{"RedrivePolicy":"{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:000000000000:dead\",\"maxReceiveCount\":\"1\"}","MessageRetentionPeriod":"3600"}'

aws send-message --queue-url "$jobs" --message-body 'héllo <&>' \
	--message-attributes '{"Blob":{"DataType":"Binary","BinaryValue":"AP8="},"Text":{"DataType":"String","StringValue":"x"}}' >/dev/null
door=$other # any node will do
handle=$(aws receive-message --queue-url "$jobs" --attribute-names All --message-attribute-names All --query 'Messages[0].ReceiptHandle')
counters=$(aws get-queue-attributes --queue-url "$jobs" --attribute-names ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible \
	--query '[Attributes.ApproximateNumberOfMessages,Attributes.ApproximateNumberOfMessagesNotVisible]')
test "$counters" = "$(printf '0\t1')" || fail "counters: $counters"
aws change-message-visibility --queue-url "$jobs" --receipt-handle "$handle" --visibility-timeout 0
buried=$(aws receive-message --queue-url "$dead" --wait-time-seconds 10 --query 'Messages[0].[Body,ReceiptHandle]')
test "${buried%%$(printf '\t')*}" = 'héllo <&>' || fail "dead: $buried"
aws delete-message --queue-url "$dead" --receipt-handle "${buried##*$(printf '\t')}"

aws send-message-batch --queue-url "$jobs" --entries Id=a,MessageBody=1 Id=b,MessageBody=2,DelaySeconds=900 >/dev/null
test "$(aws receive-message --queue-url "$jobs" --max-number-of-messages 10 --query 'length(Messages)')" = 1 || fail "a delayed message came at once"
aws purge-queue --queue-url "$jobs"
test "$(aws receive-message --queue-url "$jobs" --query 'Messages')" = None || fail "not purged"

fifo=$(aws create-queue --queue-name jobs.fifo --attributes FifoQueue=true,ContentBasedDeduplication=true)
aws send-message --queue-url "$fifo" --message-body m --message-group-id g >/dev/null
test "$(aws receive-message --queue-url "$fifo" --attribute-names MessageGroupId --query 'Messages[0].Attributes.MessageGroupId')" = g || fail "no message group"
aws tag-queue --queue-url "$jobs" --tags k=v
test "$(aws list-queue-tags --queue-url "$jobs" --query Tags.k)" = v || fail "no tag"
if aws delete-message --queue-url "$jobs" --receipt-handle nonsense 2>"$TMPDIR/err"; then fail "nonsense was taken"; fi
grep -q '(ReceiptHandleIsInvalid)' "$TMPDIR/err"
aws delete-queue --queue-url "$jobs"
if aws get-queue-url --queue-name jobs 2>"$TMPDIR/err"; then fail "not deleted"; fi
grep -q '(AWS.SimpleQueueService.NonExistentQueue)' "$TMPDIR/err"
