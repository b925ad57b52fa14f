package main

import (
	"io"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-keys", "1000,100000", "-dist", "uniform,zipf", "-front", "get", "-with", "varnish,gin"}, io.Discard)
	if err != nil || len(o.keys) != 2 || len(o.distributions) != 2 || len(o.fronts) != 1 {
		t.Errorf("got %+v, %v", o, err)
	}
	if names := strings.Join(namesOf(o.contestants), " "); names != "linkbroker gin varnish" {
		t.Errorf("%s take part", names)
	}
	for args, says := range map[string]string{
		"-with apache":      `no contestant "apache"`,
		"-front smtp":       `no front "smtp"`,
		"-scenario victory": `no scenario "victory"`,
		"-keys 0":           `-keys "0"`,
		"-dist normal":      `-dist "normal"`,
	} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
