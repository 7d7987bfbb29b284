// Package browsertest looks at the console with a real browser (Chromium), on a fleet of
// real processes: what the page shows is compared with what is so.
//
// It is a test and nothing else. Without Chromium it is skipped, by name.
//
//	go test ./console/browsertest -artifacts -outputdir /tmp   # keeps the screenshots
package browsertest
