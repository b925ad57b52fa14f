package cli_test

import (
	"net"
	"testing"
)

// TestPage goes through the admin page as administrators do: in Chromium, against the real program over the sandbox.
// It has the machine to itself, so that what is expected soon comes soon.
func TestPage(t *testing.T) {
	b := newBrowser(t)
	for claim, test := range map[string]func(*testing.T, *browser){
		"a key logs in, and a logout ends it":                         testLogin,
		"a miss becomes a hit while somebody watches":                 testOverviewLives,
		"language and colours are chosen and kept":                    testPreferences,
		"all but what is live works without scripts":                  testWithoutScript,
		"everything is reached and done by keyboard":                  testKeyboard,
		"every page is accessible, fits a phone and obeys its policy": testTour,
		"one link is found among 100,000, and acted on":               testLinks,
		"an alias is made, its code printed and followed":             testAliases,
		"a client is made, gets other keys and is disabled":           testClients,
		"texts of strangers stay texts":                               testHostile,
		"a request is looked at before it is made":                    testTester,
		"a batch with a bad row is checked and run":                   testBatch,
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			test(t, b)
		})
	}
}

// serveSeen is the sandbox as serveSandbox starts it, but at addresses that are known before, so that there is a
// public_url to show.
func serveSeen(t *testing.T, dir string) *sandboxed {
	t.Helper()
	return serveSandbox(t, dir, freeAddress(t), freeAddress(t))
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// logIn logs in with the key of the sandbox.
func (x *tab) logIn(key string) {
	x.t.Helper()
	x.visit("/login")
	x.write("input[name=key]", key)
	x.press("Log in")
	x.isAt("/")
}
