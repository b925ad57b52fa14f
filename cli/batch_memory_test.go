package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBatchIsFlatInMemory has the broker answer a batch of distinct rows, in the command's requests and in one request
// of all of them, and watches what it holds of the machine's memory.
func TestBatchIsFlatInMemory(t *testing.T) {
	if runtime.GOOS != "linux" || len(buildFlags) > 0 {
		t.Skip("the figures are Linux's, and not of a program that watches for races")
	}
	rows := batchRows(t)
	for claim, do := range map[string]func(*testing.T, *batched){
		"in the command's requests": func(t *testing.T, b *batched) {
			if said, code := b.batch(t, "in.csv", "-o", "out.csv", "--quiet"); code != 0 {
				t.Errorf("it exits with %d and says %s", code, said)
			}
		},
		"in one request": func(t *testing.T, b *batched) {
			if n := b.postBatch(t, min(rows, 100_000)); n != min(rows, 100_000)+1 {
				t.Errorf("%d lines were answered, want %d and the summary", n, rows)
			}
		},
	} {
		t.Run(claim, func(t *testing.T) {
			b := newBatched(t)
			input, distinct := batchInput(rows)
			b.file(t, "in.csv", input)
			decoded(t, b.server.postLink(`{"path":"pages/warm"}`))
			idle, err := b.server.resident()
			if err != nil {
				t.Fatal(err)
			}
			most := b.server.mostResident(t, func() { do(t, b) })
			t.Logf("%d rows, %d of them different: resident when idle %s, at most %s", rows, distinct, idle, most)
			if most.all > idle.all+64<<20 {
				t.Errorf("it holds %s, and %s when idle", most, idle)
			}
		})
	}
}

// postBatch asks for so many links at once and gives the number of lines that come back.
func (b *batched) postBatch(t *testing.T, rows int) (lines int) {
	t.Helper()
	body, w := io.Pipe()
	go func() {
		buffered := bufio.NewWriter(w)
		for n := range rows {
			_, _ = fmt.Fprintf(buffered, `{"path":"pages/item","query":"id=%d"}`+"\n", idOf(n)) // what fails is seen by who reads
		}
		_ = w.CloseWithError(buffered.Flush())
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.public+"/api/v1/links:batch", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+shopKey)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		lines++
		if strings.Contains(scan.Text(), `"error"`) {
			t.Fatal(scan.Text())
		}
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// resident is what a program holds of the machine's memory, in bytes: in all, and of that pages of files, its store's
// among them.
type resident struct{ all, files int64 }

func (r resident) String() string { return fmt.Sprintf("%d MiB (%d of files)", r.all>>20, r.files>>20) }

func (p *program) resident() (r resident, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return r, err
	}
	for name, figure := range map[string]*int64{"VmRSS:": &r.all, "RssFile:": &r.files} {
		_, rest, _ := strings.Cut(string(status), name)
		if _, err := fmt.Sscanf(rest, "%d kB", figure); err != nil {
			return r, fmt.Errorf("%s: %w", name, err)
		}
		*figure <<= 10
	}
	return r, nil
}

// mostResident is what the program holds at most while something is done.
func (p *program) mostResident(t *testing.T, do func()) (most resident) {
	t.Helper()
	ctx, done := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			<-ticker.C
			now, err := p.resident()
			if err != nil {
				t.Error(err)
				return
			}
			if now.all > most.all {
				most = now
			}
		}
	})
	do()
	done()
	watching.Wait()
	return most
}
