package sqs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	signer "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sqs"
)

const (
	testKey    = "AKIDTEST"
	testSecret = "secret/with+signs"
)

// signedCluster is a real cluster whose doors take signed requests only.
func signedCluster(t *testing.T, nodes int) *testCluster {
	t.Helper()
	return newCluster(t, nodes, 3, func(h *Handler) { h.Credentials = map[string]string{testKey: testSecret} })
}

// Debian's boto3 speaks the Query protocol, newer ones JSON: whichever are here.
func TestBotoDoesJobs(t *testing.T) {
	t.Parallel()
	pythons := pythonsWithBoto()
	for _, python := range pythons {
		arguments := append([]string{"testdata/jobs.py"}, signedCluster(t, 3).endpoints...)
		runClient(t, exec.CommandContext(t.Context(), python, arguments...))
	}
	if len(pythons) == 0 {
		t.Skip("python3-boto3 is not installed")
	}
}

// Debian's aws speaks the Query protocol. Each command takes a second to start: one is enough.
func TestCommandLineDoesJobs(t *testing.T) {
	clients := programs("/usr/bin/aws", "aws")
	if len(clients) == 0 {
		t.Skip("awscli is not installed")
	}
	t.Parallel()
	c := signedCluster(t, 3)
	runClient(t, exec.CommandContext(t.Context(), "/bin/sh", "testdata/jobs.sh", clients[0], c.endpoints[0], c.endpoints[1]))
}

func pythonsWithBoto() []string {
	pythons := programs("/usr/bin/python3", "python3")
	return slices.DeleteFunc(pythons, func(python string) bool { return exec.Command(python, "-c", "import boto3").Run() != nil })
}

// programs are those that are here, each once.
func programs(names ...string) (found []string) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil && !slices.Contains(found, path) {
			found = append(found, path)
		}
	}
	return found
}

func runClient(t *testing.T, client *exec.Cmd) {
	t.Helper()
	client.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+testKey, "AWS_SECRET_ACCESS_KEY="+testSecret, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "TMPDIR="+t.TempDir(), "PYTHONUTF8=1", "LC_ALL=C.UTF-8")
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func newClient(endpoint, secret string) *sdk.Client {
	return sdk.New(sdk.Options{BaseEndpoint: aws.String(endpoint), Region: "eu-west-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, secret, "")})
}

// errorCode is what an SDK calls an error.
func errorCode(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return ""
}

func TestGoSDKIsToldWhyItsSignatureIsRefused(t *testing.T) {
	endpoint := signedCluster(t, 1).endpoints[0]
	_, err := newClient(endpoint, "another secret").ListQueues(t.Context(), &sdk.ListQueuesInput{})
	if errorCode(err) != "SignatureDoesNotMatch" {
		t.Error(err)
	}
	stranger := sdk.New(sdk.Options{BaseEndpoint: aws.String(endpoint), Region: "eu-west-1", RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDSTRANGER", testSecret, "")})
	if _, err = stranger.ListQueues(t.Context(), &sdk.ListQueuesInput{}); errorCode(err) != "InvalidClientTokenId" {
		t.Error(err)
	}
}

func TestPresignedRequestsWorkUntilTheyExpire(t *testing.T) {
	now := time.Now()
	c := newCluster(t, 1, 1, func(h *Handler) {
		h.Credentials = map[string]string{testKey: testSecret}
		h.Now = func() time.Time { return now }
	})
	c.create(t, "jobs")
	endpoint := c.endpoints[0]
	link := presign(t, endpoint+"/000000000000/jobs?Action=SendMessage&MessageBody=a%20b%2Bc&X-Amz-Expires=60", now)
	if status, body := get(t, link); status != 200 || !strings.Contains(body, "<MD5OfMessageBody>"+bodySum("a b+c")+"</MD5OfMessageBody>") {
		t.Error(status, body)
	}
	if status, body := get(t, strings.Replace(link, "a%20b", "a%20c", 1)); status != 403 || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
		t.Error(status, body)
	}
	now = now.Add(62 * time.Second)
	if status, body := get(t, link); status != 400 || !strings.Contains(body, "<Code>RequestExpired</Code>") {
		t.Error(status, body)
	}
}

func presign(t *testing.T, link string, at time.Time) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	signed, _, err := signer.NewSigner().PresignHTTP(context.Background(), aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret},
		request, emptySum, "sqs", "eu-west-1", at)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func get(t *testing.T, link string) (status int, body string) {
	t.Helper()
	answer, err := http.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
