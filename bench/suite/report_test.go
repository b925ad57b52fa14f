package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func exampleReport() *report {
	r := &report{Name: "hits", Title: "Hits", Command: "go run ./bench/suite", to: io.Discard}
	r.add(&table{
		Name: "hits-few", Title: "Few links", Columns: []column{
			{Name: "CPU a request", Unit: "µs", Spread: true, Plot: true},
			{Name: "CPU: ours ÷ this", Spread: true},
			{Name: "requests/s"},
			{Name: "of the CPU in Redis", Unit: "µs", Optional: true},
		},
		Rows: []row{
			{Name: "linkbroker", About: "everything on", Figures: [][]float64{{20, 22, 24}, {1, 1, 1}, {20_000, 21_000, 1_000}, {0, 0, 0}}},
			{Name: "nethttp", About: "a constant", Figures: [][]float64{{10, 11, 12}, {2, 2, 2}, {40_000, 41_000, 42_000}, {0, 0, 0}}},
		},
	})
	return r
}

func TestATableHasMediansAndQuartiles(t *testing.T) {
	const want = `### Few links

| | CPU a request, µs | CPU: ours ÷ this | requests/s |
|---|--:|--:|--:|
| linkbroker | 22.0 (21.0–23.0) | 1.00 (1.00–1.00) | 20,000 |
| nethttp | 11.0 (10.5–11.5) | 2.00 (2.00–2.00) | 41,000 |
`
	if got := exampleReport().Tables[0].markdown(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAReportIsWritten(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	if err := exampleReport().write(folder); err != nil {
		t.Fatal(err)
	}
	for file, has := range map[string]string{
		"hits.md":      "![Few links](hits-few.svg)",
		"hits.json":    `"name": "linkbroker"`,
		"hits-few.svg": "<svg",
	} {
		data, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil || !strings.Contains(string(data), has) {
			t.Errorf("%s lacks %s: %v", file, has, err)
		}
	}
}

func TestARunFailsAboveItsBound(t *testing.T) {
	for most, fails := range map[float64]bool{0: false, 2.5: false, 2: false, 1.5: true} {
		if err := (options{most: most}).judge(exampleReport()); (err != nil) != fails {
			t.Errorf("with a bound of %v: %v", most, err)
		}
	}
}

func TestFigures(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 0.014: "0.01", 1.234: "1.23", 9.999: "10.0", 12.34: "12.3", 99.96: "100", 123.4: "123", 1234.5: "1,235", 1234567: "1,234,567",
	} {
		if got := figure(f); got != want {
			t.Errorf("%v is shown as %s, want %s", f, got, want)
		}
	}
}
