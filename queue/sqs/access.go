package sqs

import (
	"net/http"

	"flotilla/queue/intake"
)

// Who may come in: with credentials configured, who signs with one of them;
// otherwise whoever is on this machine, but no web page in a browser on it, and
// nobody who comes through a proxy that is not trusted.

// admit checks all of a request that can be checked before its body is read. It
// returns the signature, if one is asked for.
func (h *Handler) admit(r *http.Request) (*signature, error) {
	if len(h.Credentials) == 0 {
		return nil, h.admitUnsigned(r)
	}
	signed, err := readSignature(r)
	if err != nil {
		return nil, err
	}
	if signed == nil {
		return nil, Errorf(MissingAuthenticationToken, "Request is missing Authentication Token")
	}
	if err := signed.checkScope(r, h.now()); err != nil {
		return nil, err
	}
	if _, ok := h.Credentials[signed.accessKey]; !ok {
		return nil, Errorf(InvalidClientTokenID, "The security token included in the request is invalid.")
	}
	return signed, nil
}

// admitUnsigned says whether somebody may come in whom nobody can tell from others.
func (h *Handler) admitUnsigned(r *http.Request) error {
	denied := func(why string) error {
		return Errorf(AccessDenied, "Access to the resource is denied: no credentials are configured, and %s.", why)
	}
	if intake.IsFromPage(r) {
		return denied("the request was sent by a web page")
	}
	if h.AllowUnsigned {
		return nil
	}
	strangers := intake.Strangers{Hosts: h.Hosts, TrustForwarded: h.TrustForwarded}
	if why := strangers.Refuse(r, h.host(r)); why != "" {
		return denied(why)
	}
	return nil
}
