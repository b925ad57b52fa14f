package cli_test

import (
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"linkbroker/wechat/sandbox"
)

// batchRows is how long a batch is: BATCH_ROWS=100000 is the long proof.
func batchRows(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("BATCH_ROWS"))
	switch {
	case err == nil:
		return n
	case len(buildFlags) > 0: // a program that watches for races is ten times slower
		return 3000
	default:
		return 20_000
	}
}

// batched is a broker over a fast WeChat, and a folder for files.
type batched struct {
	*weChat

	server  *program
	dir     string
	environ []string // of the server
}

func newBatched(t *testing.T, environ ...string) *batched {
	t.Helper()
	w := &weChat{WeChat: sandbox.New(t.Context(), sandbox.Config{
		Apps: []sandbox.App{{ID: appID, Secret: appSecret, Rate: 1e6}}, Clock: time.Now, MaxLinks: 1 << 20,
	})}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	b := &batched{weChat: w, dir: configured(t, strings.Replace(w.configuration(), "level: debug", "level: warn", 1))}
	b.environ = append(append([]string{"LINKBROKER_APPS_0_RATE=100000"}, environ...), secrets...)
	b.server = serve(t, b.dir, b.environ)
	return b
}

// restart starts the broker again, at the address where it was.
func (b *batched) restart(t *testing.T) {
	t.Helper()
	b.server.kill()
	b.server = serve(t, b.dir, b.environ, "--listen", host(t, b.server.public), "--admin-listen", host(t, b.server.admin))
}

func (b *batched) file(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *batched) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// begin starts the command.
func (b *batched) begin(t *testing.T, args ...string) *program {
	t.Helper()
	return start(t, b.dir, []string{"LINKBROKER_URL=" + b.server.public, "LINKBROKER_KEY=" + shopKey}, append([]string{"batch"}, args...)...)
}

// batch runs the command to its end.
func (b *batched) batch(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	p := b.begin(t, args...)
	<-p.exited // however long it takes
	return p.stdout.String() + p.stderr.String(), p.cmd.ProcessState.ExitCode()
}

// meanwhile waits for something to happen while the command runs, however long that takes.
func (p *program) meanwhile(claim string, happened func() bool) {
	p.t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !happened() {
		select {
		case <-ticker.C:
		case <-p.exited:
			p.t.Fatalf("it ended before: %s", claim)
		}
	}
}

// kept is how many bytes stand in the output that is not whole yet.
func (b *batched) kept() int64 {
	info, err := os.Stat(filepath.Join(b.dir, "out.csv.part"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// idOf has three rows of ten repeat earlier ones, near and far.
func idOf(n int) int {
	if n%10 < 7 {
		return n
	}
	earlier := n - 10*(n%3) - n*(n%2)/2
	return earlier - earlier%10 + earlier%7
}

func batchInput(rows int) (text string, distinct int) {
	var b strings.Builder
	seen := make(map[int]bool)
	b.WriteString("n,path,query\n")
	for n := range rows {
		fmt.Fprintf(&b, "%d,pages/item,id=%d\n", n, idOf(n))
		seen[idOf(n)] = true
	}
	return b.String(), len(seen)
}

// isWhole checks that an output has each row, in order, and one link for equal rows.
func isWhole(t *testing.T, output string, rows int) {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(output)).ReadAll()
	if err != nil || len(all) != rows+1 {
		t.Fatalf("error %v, %d rows, want %d and the header", err, len(all), rows)
	}
	links, ids := make(map[int]string), make(map[string]int)
	for n, cells := range all[1:] {
		id, link := idOf(n), cells[3]
		if cells[0] != strconv.Itoa(n) || cells[2] != fmt.Sprintf("id=%d", id) || !strings.HasPrefix(link, "https://wxaurl.cn/") {
			t.Fatalf("row %d is %q", n, cells)
		}
		if known, ok := links[id]; ok && known != link {
			t.Fatalf("row %d has %s, and an equal one %s", n, link, known)
		}
		if other, ok := ids[link]; ok && other != id {
			t.Fatalf("rows %d and %d have one link", id, other)
		}
		links[id], ids[link] = link, id
	}
}

// TestBatchGoesOnAfterKills kills the command with SIGKILL, ends it with Ctrl-C and runs it once more.
func TestBatchGoesOnAfterKills(t *testing.T) {
	t.Parallel()
	b := newBatched(t)
	rows := batchRows(t)
	input, distinct := batchInput(rows)
	b.file(t, "in.csv", input)

	first := b.begin(t, "in.csv", "-o", "out.csv")
	first.meanwhile("a third is made and some of it is kept", func() bool { return b.Stats().Generated > distinct/3 && b.kept() > 1000 })
	if said, code := b.batch(t, "in.csv", "-o", "out.csv"); code != 1 || !strings.Contains(said, "out.csv.part is being written by another linkbroker") {
		t.Errorf("a second one beside the first exits with %d and says %s", code, said)
	}
	first.kill()
	if _, err := os.Stat(filepath.Join(b.dir, "out.csv")); err == nil {
		t.Fatal("it is whole already, so that nothing was interrupted")
	}

	before := b.kept()
	second := b.begin(t, "in.csv", "-o", "out.csv")
	second.stderr.find(t, second.exited, `out.csv: going on behind [0-9,]+ rows that are done`)
	second.meanwhile("more is kept", func() bool { return b.kept() > before+1000 })
	second.signal(syscall.SIGINT)
	if code, said := second.wait(), second.stderr.String(); code != 3 || !regexp.MustCompile(`linkbroker: interrupted. [0-9,]+ of [0-9,]+ rows are done and kept in out.csv.part: the same command goes on behind them\n$`).MatchString(said) {
		t.Fatalf("after Ctrl-C it exits with %d and says %s", code, said)
	}

	if said, code := b.batch(t, "in.csv", "-o", "out.csv"); code != 0 {
		t.Fatalf("it exits with %d and says %s", code, said)
	}
	isWhole(t, b.read(t, "out.csv"), rows)
	if made := b.Stats().Generated; made != distinct {
		t.Errorf("%d links were made for %d different rows", made, distinct)
	}
	if b.kept() != 0 {
		t.Error("out.csv.part is still there")
	}
}

// TestBatchOutlivesItsServer kills the broker with SIGKILL and starts it again, while the command waits for it. What
// was answered is never made again; what was under way may be.
func TestBatchOutlivesItsServer(t *testing.T) {
	t.Parallel()
	b := newBatched(t)
	rows := batchRows(t)
	input, distinct := batchInput(rows)
	b.file(t, "in.csv", input)
	p := b.begin(t, "in.csv", "-o", "out.csv", "--quiet")
	p.meanwhile("a third is made", func() bool { return b.Stats().Generated > distinct/3 })
	b.restart(t)
	<-p.exited
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("it exits with %d and says %s", code, p.stderr)
	}
	isWhole(t, b.read(t, "out.csv"), rows)
	const underWay = 64 // calls at a time
	if made := b.Stats().Generated; made < distinct || made > distinct+underWay {
		t.Errorf("%d links were made for %d different rows", made, distinct)
	}
}

// TestBatchStopsAtTheEndOfTheQuota leaves the row unwritten at which the quota ends, and the reserve untouched.
func TestBatchStopsAtTheEndOfTheQuota(t *testing.T) {
	t.Parallel()
	b := newBatched(t, "LINKBROKER_APPS_0_DAILY_QUOTA=100", "LINKBROKER_APPS_0_BATCH_RESERVE=0.3")
	input, _ := batchInput(200)
	b.file(t, "in.csv", input)
	if said, code := b.batch(t, "in.csv", "--dry-run"); code != 0 || !strings.Contains(said, "100 of the day's quota are left, of which batches leave 30 to others: not enough. It would stop behind about 70 of them") {
		t.Errorf("a dry run exits with %d and says %s", code, said)
	}
	said, code := b.batch(t, "in.csv", "-o", "out.csv")
	if code != 3 || !regexp.MustCompile(`(?s)linkbroker: stopped: .*out.csv.part\. From 20\S+ on \(in \S+\) the same command goes on behind them\n$`).MatchString(said) {
		t.Fatalf("it exits with %d and says %s", code, said)
	}
	if made := b.Stats().Generated; made != 70 {
		t.Errorf("%d links were made, want 70", made)
	}
	if strings.Contains(b.read(t, "out.csv.part"), "quota") {
		t.Error("the row at which the quota ended is written")
	}
	b.environ = append(b.environ[:1:1], secrets...) // with the whole quota, as tomorrow
	b.restart(t)
	if said, code := b.batch(t, "in.csv", "-o", "out.csv"); code != 0 {
		t.Fatalf("the next day it exits with %d and says %s", code, said)
	}
	isWhole(t, b.read(t, "out.csv"), 200)
}

// TestBatchIsPatientForAWhile stops when WeChat stays away, and goes on when it is back.
func TestBatchIsPatientForAWhile(t *testing.T) {
	t.Parallel()
	b := newBatched(t, "LINKBROKER_DEADLINE=500ms")
	input, _ := batchInput(20)
	b.file(t, "in.csv", input)
	b.fail(t, sandbox.Fault{Name: "bad_gateway"})
	if said, code := b.batch(t, "in.csv", "-o", "out.csv", "--patience=1s"); code != 3 || !strings.Contains(said, "linkbroker: stopped: ") || !strings.Contains(said, "0 of 20 rows are done") {
		t.Errorf("it exits with %d and says %s", code, said)
	}
	b.ClearFaults()
	if said, code := b.batch(t, "in.csv", "-o", "out.csv"); code != 0 {
		t.Errorf("it exits with %d and says %s", code, said)
	}
	isWhole(t, b.read(t, "out.csv"), 20)
}

func TestBatchKeepsWhatIsWrongWithRows(t *testing.T) {
	t.Parallel()
	b := newBatched(t)
	b.file(t, "in.csv", "path,query,who\npages/item,id=1,a\npages/a?b=1,,b\npages/item,é,c\npages/item,id=1,d\n")
	said, code := b.batch(t, "in.csv", "--dry-run")
	for _, want := range []string{
		"line 3: error: path contains a ? at position 8",
		"line 4: error: query has 'é' at position 1",
		"in.csv: 4 rows: 2 would be refused\n",
		appID + ": 1 generations; 500,000 of the day's quota are left",
	} {
		if code != 1 || !strings.Contains(said, want) {
			t.Errorf("a dry run exits with %d and says\n%s\nwant %s", code, said, want)
		}
	}
	if made := b.Stats().Generated; made != 0 {
		t.Errorf("a dry run made %d links", made)
	}

	said, code = b.batch(t, "in.csv", "-o", "out.csv")
	if code != 1 || !strings.Contains(said, "4 rows in 0s: 1 hits, 1 generated, 2 failed") {
		t.Errorf("it exits with %d and says %s", code, said)
	}
	refused := regexp.MustCompile(`(?m)^pages/a\?b=1,,b,,,,,,path contains a \? at position 8: .* \(errcode 40165\)$`)
	if got := b.read(t, "out.csv"); !refused.MatchString(got) {
		t.Errorf("the output is\n%s", got)
	}

	for claim, test := range map[string]struct {
		args []string
		want string
	}{
		"a whole output is not written over": {[]string{"in.csv", "-o", "out.csv"}, "out.csv is there already: --retry-failed asks again"},
		"the input is not the output":        {[]string{"out.csv", "-o", "out.csv"}, `out.csv: has the column "url"`},
		"forms are not mixed":                {[]string{"in.csv", "-o", "out.ndjson"}, "must be of the same form"},
		"nothing is there to retry":          {[]string{"in.csv", "-o", "other.csv", "--retry-failed"}, "there is no other.csv whose rows could be retried"},
		"an output has to be named":          {[]string{"in.csv"}, "name the file to write with -o"},
		"a file that is not there":           {[]string{"nowhere.csv", "-o", "x.csv"}, "nowhere.csv: no such file"},
	} {
		if said, code := b.batch(t, test.args...); code != 1 || !strings.Contains(said, test.want) {
			t.Errorf("%s: it exits with %d and says %s", claim, code, said)
		}
	}

	b.file(t, "in.csv", "path,query,who\npages/item,id=1,a\npages/a,b=1,b\npages/item,%C3%A9,c\npages/item,id=1,d\n") // mended
	if said, code := b.batch(t, "in.csv", "-o", "out.csv", "--retry-failed"); code != 0 {
		t.Errorf("a retry exits with %d and says %s", code, said)
	}
	mended := regexp.MustCompile(`^path,query,who,url,.*\n(pages/\S+,[a-d],https://wxaurl.cn/\S+,[0-9a-f]{32},20\S+Z,(hit|miss),false,\n){4}$`)
	if got := b.read(t, "out.csv"); !mended.MatchString(got) || b.Stats().Generated != 3 {
		t.Errorf("%d links were made, and the output is\n%s", b.Stats().Generated, got)
	}
	if said, code := b.batch(t, "in.csv", "-o", "out.csv", "--force"); code != 0 || !strings.Contains(said, "4 hits, 0 generated") {
		t.Errorf("begun anew it exits with %d and says %s", code, said)
	}
}

// TestForceTakesNoWorkAway begins anew beside a batch that is under way, which would call the other's rows its own.
func TestForceTakesNoWorkAway(t *testing.T) {
	t.Parallel()
	b := newBatched(t)
	b.fail(t, sandbox.Fault{Name: "slow", Delay: 200 * time.Millisecond})
	input, _ := batchInput(2000)
	b.file(t, "in.csv", input)
	first := b.begin(t, "in.csv", "-o", "out.csv", "--quiet")
	first.meanwhile("something is kept", func() bool { return b.kept() > 1000 })
	if said, code := b.batch(t, "in.csv", "-o", "out.csv", "--force"); code != 1 || !strings.Contains(said, "out.csv.part is being written by another linkbroker") {
		t.Errorf("begun anew it exits with %d and says %s", code, said)
	}
	b.ClearFaults()
	<-first.exited
	if code := first.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("the first exits with %d and says %s", code, first.stderr)
	}
	isWhole(t, b.read(t, "out.csv"), 2000)
}

// TestBatchOfEveryKind holds that a link that is put together without a call is no failure, dry or not.
func TestBatchOfEveryKind(t *testing.T) {
	t.Parallel()
	b := newBatched(t, "LINKBROKER_APPS_0_PLAIN_SCHEME=true")
	b.file(t, "in.csv", "kind,path,query\nplain_scheme,pages/item,id=1\nscheme,pages/item,id=1\nshort_link,pages/item,id=1\nurl_link,pages/item,id=1\n")
	said, code := b.batch(t, "in.csv", "--dry-run")
	if code != 0 || !strings.Contains(said, "in.csv: 4 rows: 0 would be refused\n"+appID+": 3 generations;") {
		t.Errorf("a dry run exits with %d and says\n%s", code, said)
	}
	said, code = b.batch(t, "in.csv", "-o", "out.csv")
	if code != 0 || !strings.Contains(said, "1 hits, 3 generated, 0 failed") {
		t.Errorf("it exits with %d and says\n%s", code, said)
	}
	if got := b.read(t, "out.csv"); !strings.Contains(got, "weixin://dl/business/?appid="+appID) || !strings.Contains(got, ",composed,") {
		t.Errorf("the output is\n%s", got)
	}
}

// TestDryRunCountsAcrossRequests has more rows than are sent at once, and duplicates in different requests.
func TestDryRunCountsAcrossRequests(t *testing.T) {
	t.Parallel()
	b := newBatched(t)
	var input strings.Builder
	input.WriteString(`{"path":"pages/item","query":"id=x","splice":true}` + "\n")
	for n := range 7000 {
		fmt.Fprintf(&input, `{"path":"pages/item","query":"id=%d","splice":%t,"n":%d}`+"\n", n%4000, n >= 6000, n)
	}
	b.file(t, "in.ndjson", input.String())
	said, code := b.batch(t, "in.ndjson", "--dry-run", "--quiet")
	if code != 0 || !strings.Contains(said, "in.ndjson: 7,001 rows: 0 would be refused\n"+appID+": 4,001 generations;") {
		t.Errorf("it exits with %d and says %s, want 4,000 generations and one for all that is spliced", code, said)
	}
}

// TestBatchNeedsAKeyThatMayGenerate breaks off where nothing but somebody's doing helps.
func TestBatchNeedsAKeyThatMayGenerate(t *testing.T) {
	t.Parallel()
	b := newBatched(t)
	input, _ := batchInput(3)
	b.file(t, "in.csv", input)
	for claim, test := range map[string]struct {
		environ []string
		code    int
		want    string
	}{
		"no key":           {[]string{"LINKBROKER_URL=" + b.server.public}, 1, "an API key of role generate is needed"},
		"a wrong key":      {[]string{"LINKBROKER_URL=" + b.server.public, "LINKBROKER_KEY=" + shopKey + "x"}, 1, "(0 of 3 rows are done and kept in out.csv.part)"},
		"another listener": {[]string{"LINKBROKER_URL=" + b.server.admin, "LINKBROKER_KEY=" + opsKey}, 1, "there is nothing at this address. This command asks the public listener"},
		"a key that reads": {[]string{"LINKBROKER_URL=" + b.server.public, "LINKBROKER_KEY=" + readKey}, 1, "3 failed"},
	} {
		t.Run(claim, func(t *testing.T) {
			_ = os.Remove(filepath.Join(b.dir, "out.csv")) // of the last one
			_, stderr, code := run(t, b.dir, test.environ, "batch", "in.csv", "-o", "out.csv")
			if code != test.code || !strings.Contains(stderr, test.want) {
				t.Errorf("it exits with %d and says %s, want %d and %s", code, stderr, test.code, test.want)
			}
		})
	}
}
