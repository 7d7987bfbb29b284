package httpserve

// WatchAfter is how long a request may be answered before somebody looks for its client.
const WatchAfter = watchAfter
