package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"flotilla/queue/intake"
)

// Who may come in, by the rules of the SQS door: with credentials configured, who knows
// one of them; otherwise whoever is on this machine, but nobody who comes through a
// proxy. A web page never may: a browser would send what its user knows, or is.

func (h *Handler) admit(r *http.Request) *Problem {
	if intake.IsFromPage(r) {
		return forbidden("the request was sent by a web page")
	}
	if len(h.Credentials) > 0 {
		return h.admitKnown(r)
	}
	if h.AllowUnsigned {
		return nil
	}
	if why := (intake.Strangers{Hosts: h.Hosts}).Refuse(r, r.Host); why != "" {
		return forbidden("no credentials are configured, and " + why)
	}
	return nil
}

func forbidden(why string) *Problem {
	return problem(http.StatusForbidden, CodeForbidden, "Access is denied: "+why+".")
}

// admitKnown takes an access key and its secret by basic authentication. Hashes are
// compared, with something to compare for an unknown key too, so that the time tells
// neither whether a key exists nor how long a secret is.
func (h *Handler) admitKnown(r *http.Request) *Problem {
	key, given, _ := r.BasicAuth()
	secret, isKnown := h.Credentials[key]
	want, got := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(given))
	isRight := subtle.ConstantTimeCompare(want[:], got[:]) == 1
	if isKnown && isRight && secret != "" {
		return nil
	}
	return problem(http.StatusUnauthorized, CodeUnauthorized, "An access key and its secret are asked for, by basic authentication.")
}
