package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"flotilla"
	"flotilla/supervisor"
)

// Keeper is what starts a node's process, and starts it again, where that is no supervisor
// of ours. Faults of processes are its own: the page says what to type.
type Keeper string

// The keepers that can be told apart.
const (
	Compose    Keeper = "compose"
	Kubernetes Keeper = "kubernetes"
	Systemd    Keeper = "systemd"
	Nobody     Keeper = "nobody" // it was started by hand
)

// changeTimeout is how long another node may take to break or mend something of its own.
const changeTimeout = 5 * time.Second

// canBreak reports whether pages may break things.
func (o *Options) canBreak() bool { return o.Fleet != nil || o.isByHand() }

// isByHand reports whether they do so without a supervisor.
func (o *Options) isByHand() bool { return o.Fleet == nil && o.Lab != nil && o.Lab.Change != nil }

// keeper is whom faults of processes are to be asked of; empty: of the supervisor.
func (o *Options) keeper() Keeper {
	if o.isByHand() {
		return o.Lab.Keeper
	}
	return ""
}

// errToken is what a page is told whose token is not the lab's.
var errToken = errors.New("the lab's token is asked for: it is what $FLOTILLA_LAB_TOKEN has where the nodes were started")

// breakByHand has the nodes concerned, this one or others, do to themselves what is asked for.
func (c *Console) breakByHand(ctx context.Context, a FaultAsk) (lines []string, err error) {
	request := a.request()
	for _, n := range c.options.Host.Topology().Nodes {
		if a.Verb != supervisor.Heal && n.ID != a.Node {
			continue
		}
		line, failed := c.changeOne(ctx, n, request, a.Token)
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		lines = append(lines, line)
	}
	return lines, err
}

// changeOne has one node break or mend something of its own.
func (c *Console) changeOne(ctx context.Context, n flotilla.NodeInfo, request supervisor.Request, token string) (string, error) {
	if n.ID == c.options.Host.Self() {
		return c.options.Lab.Change(request)
	}
	raw, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	res, err := c.options.Peers.send(ctx, http.MethodPost, n, supervisor.ChangePath, raw, token)
	if err != nil {
		return "", fmt.Errorf("%v can not be asked from here: use its own page", n.ID)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) // only words for people
	said := string(bytes.TrimSpace(text))
	// Where there is no such door, the page's own answers, which may ask for the password.
	isClosed := res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusMethodNotAllowed || res.Header.Get("WWW-Authenticate") != ""
	switch {
	case res.StatusCode == http.StatusOK:
		return said, nil
	case isClosed:
		return "", fmt.Errorf("%v was not started with --lab: it can not be broken", n.ID)
	case res.StatusCode == http.StatusUnauthorized:
		return "", fmt.Errorf("%v has another token", n.ID)
	}
	return "", fmt.Errorf("%v: %s", n.ID, said)
}

// composeLab has a container that is made anew run for the lab as before, also where the settings
// were only in the shell. The page does not show the lab's token: people put it in.
const composeLab = "LAB=true LAB_TOKEN=TOKEN"

// debians is said where a command begins with "docker compose".
const debians = " (Debian's Compose is called docker-compose, in one word):"

// Command is what to type for a fault of a node's process; empty for one that needs none, and for a
// process whose id is needed and not known: kill takes 0 for the shell that it is typed into.
func (k Keeper) Command(verb supervisor.Verb, n NodePicture) string {
	if k == Nobody && n.PID == 0 {
		return ""
	}
	commands := map[Keeper]map[supervisor.Verb]string{
		Compose: {
			supervisor.Kill: "docker compose kill NODE", supervisor.Restart: "docker compose restart NODE",
			supervisor.Pause: "docker compose pause NODE", supervisor.Resume: "docker compose unpause NODE",
			supervisor.Wipe: "docker compose rm --stop --force NODE && docker volume rm flotilla_NODE && " + composeLab + " JOIN=true docker compose up -d NODE",
		},
		Kubernetes: {
			supervisor.Kill:    "kubectl delete pod flotilla-ID --grace-period=0 --force",
			supervisor.Restart: "kubectl delete pod flotilla-ID",
			supervisor.Wipe:    "kubectl delete pvc data-flotilla-ID --wait=false && kubectl delete pod flotilla-ID",
		},
		Systemd: {
			supervisor.Kill: "systemctl kill --signal=KILL flotilla", supervisor.Restart: "systemctl restart flotilla",
			supervisor.Pause: "systemctl kill --signal=STOP flotilla", supervisor.Resume: "systemctl kill --signal=CONT flotilla",
			supervisor.Wipe: "systemctl stop flotilla && systemctl clean --what=state flotilla && systemctl start flotilla",
		},
		Nobody: {supervisor.Kill: "kill -9 PID", supervisor.Pause: "kill -STOP PID", supervisor.Resume: "kill -CONT PID"},
	}
	return strings.NewReplacer("NODE", n.Node.String(), "ID", fmt.Sprint(uint32(n.Node))).Replace(
		strings.ReplaceAll(commands[k][verb], "PID", fmt.Sprint(n.PID)))
}

// isProcess reports whether a fault is one of a process.
func isProcess(verb supervisor.Verb) bool {
	switch verb {
	case supervisor.Kill, supervisor.Restart, supervisor.Pause, supervisor.Resume, supervisor.Wipe:
		return true
	}
	return false
}

// handSays says how to do to a process what a page can not.
func (k Keeper) handSays(verb supervisor.Verb, n NodePicture) (says, command string) {
	command = k.Command(verb, n)
	switch {
	case command != "" && k == Compose && verb == supervisor.Wipe:
		return "Type this where compose.yaml is, with the lab's token for TOKEN; a volume's name begins with the project's, which is the folder's unless you named it" + debians, command
	case command != "" && k == Compose:
		return "No page can do that to a container. Type this where compose.yaml is" + debians, command
	case command != "" && k == Kubernetes:
		return "No page can do that to a pod. Type this:", command
	case command != "" && verb == supervisor.Wipe:
		return fmt.Sprintf("No page can do that to a service. See that its settings say join: true, and type this on the machine of %v, as root:", n.Node), command
	case command != "":
		return fmt.Sprintf("No page can do that to this process. Type this on the machine of %v:", n.Node), command
	case k == Kubernetes:
		return "Kubernetes can not pause a process: cut the node off from all instead.", ""
	case k == Nobody && n.PID == 0 && verb != supervisor.Restart && verb != supervisor.Wipe:
		return "Its process id is not known here, as the node was not heard yet: look for it on its machine.", ""
	case verb == supervisor.Wipe:
		return "No page can do that to this process: end it, delete its --dir, and start it with --join added.", ""
	}
	return "No page can do that to this process: start it as you did before.", ""
}
