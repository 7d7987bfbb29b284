package console

import (
	"fmt"
	"strings"

	"flotilla"
	"flotilla/cluster"
	"flotilla/supervisor"
)

// Telling is a note in plain words: what happened, why, and what follows.
type Telling struct {
	What string `json:"what"`
	Why  string `json:"why,omitempty"`
	Next string `json:"next,omitempty"`
}

// Tell says what a note means.
func Tell(n cluster.Note) Telling {
	switch {
	case n.Kind == noteProcess:
		return tellProcess(n)
	case n.Kind == cluster.NoteRole:
		return tellRole(n)
	case n.Kind == cluster.NoteFault:
		return tellFault(n)
	case n.Kind.IsTraced():
		return tellWrite(n)
	}
	if t, ok := tellVote(n); ok {
		return t
	}
	return tellNode(n)
}

// tellProcess tells of a node's process, which can not tell of its own end.
func tellProcess(n cluster.Note) Telling {
	switch supervisor.Phase(n.Word) {
	case supervisor.Down:
		return Telling{fmt.Sprintf("%v was killed", n.Node), "somebody asked for it, as a crash would do it",
			"what it leads gets another leader after 0.6 to 1.2 s of silence; nothing acknowledged is lost"}
	case supervisor.Paused:
		return Telling{fmt.Sprintf("%v was paused", n.Node), "somebody asked for it, as by a long garbage collection",
			"to the others it looks dead; when it goes on, it finds a newer term and follows"}
	case supervisor.Wiped:
		return Telling{fmt.Sprintf("the disk of %v was wiped", n.Node), "somebody asked for it, as if the disk had been replaced",
			"it starts with an empty disk; leaders fill its new copies, and until then one more loss is one too many"}
	case supervisor.Waiting:
		return Telling{fmt.Sprintf("%v is about to start again", n.Node), "its process ended", "it reads its disk, and catches up from the leader's log"}
	}
	return Telling{fmt.Sprintf("%v runs (process %d)", n.Node, n.Value), "its process was started, or goes on", "it follows whoever leads, and catches up"}
}

// tellRole tells of elections' outcomes.
func tellRole(n cluster.Note) Telling {
	switch n.Word {
	case "leader":
		return Telling{fmt.Sprintf("%v now leads %v, in term %d", n.Node, n.Group, n.Term), "a majority of the copies voted for it",
			"it confirms its term with an empty entry, and then takes writes"}
	case cluster.RoleTrial:
		why := "it does not know a leader"
		if n.Peer != 0 && n.Value > 0 {
			why = fmt.Sprintf("it last heard %v, who led, %.1f s ago", n.Peer, float64(n.Value)/1000)
		}
		return Telling{fmt.Sprintf("%v asks whether it could win term %d of %v", n.Node, n.Term+1, n.Group), why,
			"a trial changes no term: those who hear a leader do not answer, and those whose log is longer refuse; where a majority would vote for it, it stands"}
	case "candidate":
		why := "a majority said on trial that it would vote for it"
		if n.Peer != 0 {
			why = fmt.Sprintf("%v, who led, asked it to take over: that needs no trial", n.Peer)
		}
		return Telling{fmt.Sprintf("%v stands for term %d of %v", n.Node, n.Term, n.Group), why,
			"it votes for itself and asks the others for their votes, in earnest: each node has one in a term, and keeps it on its disk"}
	case "learner":
		what := fmt.Sprintf("%v learns %v from %v (term %d)", n.Node, n.Group, n.Peer, n.Term)
		if n.Peer == 0 {
			what = fmt.Sprintf("%v is to learn %v, and knows no leader (term %d)", n.Node, n.Group, n.Term)
		}
		return Telling{what, "its copy is new", "it takes entries, but has no vote until it has caught up"}
	}
	if n.Peer == 0 {
		return Telling{fmt.Sprintf("%v follows in %v, and knows no leader (term %d)", n.Node, n.Group, n.Term), "an election is under way, or it has just started",
			"it takes no writes for the group until a leader is found"}
	}
	return Telling{fmt.Sprintf("%v follows %v in %v (term %d)", n.Node, n.Peer, n.Group, n.Term), "that node leads this term", "it takes the leader's entries, and acknowledges each once it is on its disk"}
}

// tellFault tells what a lab did.
func tellFault(n cluster.Note) Telling {
	from, to := n.Node, n.Peer
	if word, isHere := strings.CutSuffix(n.Word, "-here"); isHere { // the way from the peer, broken where it ends
		n.Word, from, to = word, n.Peer, n.Node
	}
	switch n.Word {
	case "cut":
		return Telling{fmt.Sprintf("the way from %v to %v was cut", from, to), "somebody asked for it",
			"what it has for that node goes by way of others, if any hears both; who reaches no majority refuses writes"}
	case "healed":
		return Telling{fmt.Sprintf("the way from %v to %v is good again", from, to), "somebody asked for it", "what was missed is sent again"}
	case "slow":
		return Telling{fmt.Sprintf("the way from %v to %v was made slow or lossy (%d ms)", from, to, n.Value), "somebody asked for it",
			"writes need a majority only, so that the slowest copy does not matter; a slow leader gives way to another"}
	}
	if n.Word == "disk" && n.Value == 0 {
		return Telling{fmt.Sprintf("the disk of %v is as fast as it was", n.Node), "somebody asked for it", "leaders come back to it once it has been fast for a while"}
	}
	if n.Word == "disk" {
		return Telling{fmt.Sprintf("the disk of %v was made slow: each synced write takes %d ms longer", n.Node, n.Value), "somebody asked for it",
			"a majority does without it; if it leads, writes take longer, until it gives way to a faster node"}
	}
	skew, verb := cluster.Skew{OffsetMillis: flotilla.Millis(n.Value)}, "were set"
	if n.Word == "drift" {
		skew, verb = cluster.Skew{DriftPPM: int(n.Value)}, "run"
	}
	return Telling{fmt.Sprintf("the clocks of %v %s %s", n.Node, verb, skew.Words()), "somebody asked for it", "no answer depends on clocks, but TTLs count in the leader's time"}
}

// refusal says why a node does not vote for another.
func refusal(n cluster.Note) string {
	by := "another node"
	if n.Value != 0 {
		by = flotilla.NodeID(n.Value).String()
	}
	switch n.Word {
	case cluster.RefusedTerm:
		return fmt.Sprintf("it knows of a newer term, %d", n.Term)
	case cluster.RefusedVoted:
		if by == n.Node.String() {
			by = "itself"
		}
		return "it has given its vote of this term to " + by
	case cluster.RefusedLeader:
		return "this term has a leader already, " + by
	}
	if n.Index == 0 {
		return "its log has entries that the other one lacks"
	}
	return fmt.Sprintf("its log, which ends at entry %d, has entries that the other one lacks", n.Index)
}

// tellVote tells of an election's messages.
func tellVote(n cluster.Note) (Telling, bool) {
	switch n.Kind {
	case cluster.NoteTrialAsked:
		return Telling{fmt.Sprintf("%v asks %v whether it would vote for it in %v (term %d)", n.Node, n.Peer, n.Group, n.Term),
			"a trial first, so that a node that was away does not depose a leader who is well", "with a majority of yes it asks in earnest"}, true
	case cluster.NoteTrialGiven:
		return Telling{fmt.Sprintf("%v would vote for %v in %v (term %d)", n.Node, n.Peer, n.Group, n.Term), "it hears no leader either, and its own log is not longer", "nothing is promised by that: it may be asked in earnest next"}, true
	case cluster.NoteTrialRefused:
		return Telling{fmt.Sprintf("%v would not vote for %v in %v", n.Node, n.Peer, n.Group), refusal(n), "without a majority of yes that node does not ask in earnest, and disturbs nobody"}, true
	case cluster.NoteVoteAsked:
		return Telling{fmt.Sprintf("%v asks %v for its vote in %v (term %d)", n.Node, n.Peer, n.Group, n.Term), "the trial went well, or the leader asked it to take over",
			"with a majority of votes it leads the term"}, true
	case cluster.NoteVoteGiven:
		return Telling{fmt.Sprintf("%v votes for %v in %v (term %d)", n.Node, n.Peer, n.Group, n.Term), "it has not voted in this term, and its own log is not longer",
			"its vote is on its disk: it will not vote for another in this term, not even after a crash"}, true
	case cluster.NoteVoteRefused:
		return Telling{fmt.Sprintf("%v does not vote for %v in %v (term %d)", n.Node, n.Peer, n.Group, n.Term), refusal(n), "that node needs a majority of the others, or waits and asks in another term"}, true
	case cluster.NoteHandOver:
		return Telling{fmt.Sprintf("%v asks %v to take over %v (term %d)", n.Node, n.Peer, n.Group, n.Term), "leaders are spread evenly, and leave nodes that are slow or stop",
			"that node asks for votes at once, without waiting for silence"}, true
	}
	return Telling{}, false
}

// tellNode tells of nodes, copies and disks.
func tellNode(n cluster.Note) Telling {
	switch n.Kind {
	case cluster.NoteStarted:
		if n.Word == cluster.StartedEmpty {
			return Telling{fmt.Sprintf("%v started with an empty disk", n.Node), "it is new, or its disk was wiped or replaced",
				"it goes on from nothing: where the cluster is older, leaders fill new copies for it, and the votes of its old ones do not count"}
		}
		return Telling{fmt.Sprintf("%v started", n.Node), "its process begins", "it goes on from what is on its disk, and follows whoever leads"}
	case cluster.NoteStopping:
		return Telling{fmt.Sprintf("%v is about to stop", n.Node), "it was told to", "it gives its leaders away first, so that nobody has to wait for an election"}
	case cluster.NoteSilent:
		return Telling{fmt.Sprintf("%v hears nothing from %v any more", n.Node, n.Peer), fmt.Sprintf("nothing came for %.1f s: it is dead, paused, or cut off", float64(n.Value)/1000),
			"groups that it led elect another leader"}
	case cluster.NoteHeard:
		return Telling{fmt.Sprintf("%v hears %v", n.Node, n.Peer), "a message came from that node, which was silent, or is new", "its copies catch up"}
	case cluster.NoteRelay:
		if n.Value == 0 {
			return Telling{fmt.Sprintf("%v sends straight to %v again", n.Node, n.Peer), "that node says that it hears it, or nobody is left who could pass on what is for it", "messages take the shortest way"}
		}
		return Telling{fmt.Sprintf("%v reaches %v by way of n%d", n.Node, n.Peer, n.Value), fmt.Sprintf("%v does not say that it hears it: the way was cut, or is good again but for less than a second", n.Peer), "nothing changes but that the way is longer"}
	case cluster.NoteNoRoom:
		return Telling{fmt.Sprintf("the disk of %v is nearly full", n.Node), "less is free than what is under way may need", "writes that need space are refused, in good time; reads and deletes go on"}
	case cluster.NoteHasRoom:
		return Telling{fmt.Sprintf("the disk of %v has space again", n.Node), "something was deleted, or the disk has grown", "writes are taken again"}
	case cluster.NoteMembers:
		return Telling{fmt.Sprintf("%v applied that %v has %s", n.Node, n.Group, n.Word), "a lost copy makes way for a new one, or a new one has caught up", "from here on the majority is one of these"}
	case cluster.NoteNewCopy:
		return Telling{fmt.Sprintf("%v makes a new, empty copy of %v (number %d)", n.Node, n.Group, n.Value), "its old one was lost with its disk, and may have voted: its number is never used again",
			"the leader sends it a snapshot; it votes once it has caught up"}
	case cluster.NoteSnapshotSent:
		return Telling{fmt.Sprintf("%v sends %v a snapshot of %v, up to entry %d", n.Node, n.Peer, n.Group, n.Index), "the copy there is too far behind for the log", "writes go on meanwhile, and the log has what comes after it"}
	case cluster.NoteSnapshotDone:
		return Telling{fmt.Sprintf("%v has all of the snapshot of %v", n.Peer, n.Group), "it took the last piece", "it goes on with the log"}
	case cluster.NoteSnapshotFailed:
		return Telling{fmt.Sprintf("the snapshot of %v did not get to %v", n.Group, n.Peer), "the way was cut, or the node went away", "it is tried again"}
	case cluster.NoteSnapshotInstalled:
		return Telling{fmt.Sprintf("%v has the state of %v up to entry %d", n.Node, n.Group, n.Index), "it installed the leader's snapshot", "the rest comes from the log"}
	}
	return Telling{What: fmt.Sprintf("%v: %s", n.Node, n.Kind)}
}

// tellWrite tells of the steps of a write.
func tellWrite(n cluster.Note) Telling {
	entry := fmt.Sprintf("entry %d of %v", n.Index, n.Group)
	switch n.Kind {
	case cluster.NoteTaken:
		return Telling{fmt.Sprintf("%v took the write", n.Node), "its client asked this node", "it goes to whoever leads the key's group"}
	case cluster.NoteForwarded:
		if n.Peer == n.Node {
			return Telling{fmt.Sprintf("%v leads %v itself", n.Node, n.Group), "the group of the key is one that it leads", "the write waits for the next entry"}
		}
		return Telling{fmt.Sprintf("%v passes the write on to %v", n.Node, n.Peer), fmt.Sprintf("that node leads %v", n.Group), "it is sent again if the leader changes, and is carried out once"}
	case cluster.NoteAnswered:
		return Telling{fmt.Sprintf("%v answers the client", n.Node), entry + " was applied", "the write survives the loss of any minority"}
	case cluster.NoteProposed:
		return Telling{fmt.Sprintf("%v makes %s, of %s", n.Node, entry, many(n.Value, "command")), "all that waited for the group shares an entry", "it goes to the followers and onto the leader's own disk at the same time"}
	case cluster.NoteSent:
		return Telling{fmt.Sprintf("%v sends %s to %v", n.Node, entry, n.Peer), "each follower gets each entry", "that node writes it to its disk"}
	case cluster.NoteReceived:
		return Telling{fmt.Sprintf("%v received %s", n.Node, entry), "the leader sent it", "it writes it to its disk before it says anything"}
	case cluster.NoteSynced:
		return Telling{fmt.Sprintf("%s is on the disk of %v", entry, n.Node), "fsync came back", "no power cut takes it from there any more, and it counts for the majority"}
	case cluster.NoteAcknowledged:
		return Telling{fmt.Sprintf("%v tells %v that it has %s", n.Node, n.Peer, entry), "it is on its disk", "the leader counts it"}
	case cluster.NoteCounted:
		return Telling{fmt.Sprintf("%v heard from %v that it has %s", n.Node, n.Peer, entry), "its acknowledgement came", "once a majority has it, it is committed"}
	case cluster.NoteCommitted:
		return Telling{fmt.Sprintf("%v knows that %s is committed", n.Node, entry), "a majority has it on disk", "it can not be lost any more, and is applied"}
	}
	return Telling{fmt.Sprintf("%v applied %s", n.Node, entry), "it is committed, and all before it are applied", "reads on this node see it"}
}

func many(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
