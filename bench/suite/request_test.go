package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"testing"
)

func TestRequestsAreWhole(t *testing.T) {
	for _, f := range []front{native, facade, get} {
		for _, link := range []int{0, 9, 10, 1_234_567} {
			raw := f.append(f.append(nil, link), link) // two, to see where the first ends
			from := bufio.NewReader(bytes.NewReader(raw))
			for range 2 {
				r, err := http.ReadRequest(from)
				if err != nil {
					t.Fatalf("%s %d: %v", f, link, err)
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatalf("%s %d: %v", f, link, err)
				}
				if r.URL.Path != f.path() || r.Header.Get("Authorization") != "Bearer "+apiKey {
					t.Errorf("%s asks %s with %v", f, r.URL, r.Header)
				}
				if path, query := asked(t, r, body); path != page || query != "id="+strconv.Itoa(link)+"&src=sms" {
					t.Errorf("%s asks for %q %q", f, path, query)
				}
			}
		}
	}
}

func asked(t *testing.T, r *http.Request, body []byte) (path, query string) {
	t.Helper()
	if r.Method == http.MethodGet {
		return r.URL.Query().Get("path"), r.URL.Query().Get("query")
	}
	var in struct{ Path, Query string }
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatal(err)
	}
	return in.Path, in.Query
}
