package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExportAndImportGiveTheSameStore takes all links and aliases from one broker to one with an empty store, in both
// forms, and exports them there: the same bytes.
func TestExportAndImportGiveTheSameStore(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	config := strings.Replace(w.configuration(), "    base_url:", "    fallback_hosts: [shop.example]\n    base_url:", 1)
	first := serve(t, configured(t, config), secrets)
	for _, body := range []string{
		`{"path":"pages/item","query":"id=1,2"}`, `{"path":"pages/item","query":"id=1,2"}`, `{"path":""}`,
		`{"path":"pages/item","expire_interval":7}`, `{"path":"p","env_version":"trial","scope":"a\"b"}`,
		`{"path":"p","cloud_base":{"env":"e","query":"x=1"},"extra":{"safety_notice":true}}`,
	} {
		decoded(t, first.postLink(body))
	}
	dir := t.TempDir()
	admin := func(p *program, args ...string) string {
		t.Helper()
		stdout, stderr, code := run(t, dir, []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}, args...)
		if code != 0 {
			t.Fatalf("%q exits with %d and says %s%s", args, code, stdout, stderr)
		}
		return stdout
	}
	admin(first, "aliases", "put", "spring", "--path=pages/sale", "--title==1+1", "--tag=a,b", "--tag=c", "--ends-at=2099-01-31T08:00:00+08:00")
	admin(first, "aliases", "put", "x", "--query=a=1", "--fallback-url=https://shop.example/?a=1,2", "--visit-limit=7", "--splice", "--disabled", "--title=春\nsale")
	admin(first, "jobs", "run", "flush") // the uses

	for _, form := range []string{"csv", "ndjson"} {
		second := serve(t, configured(t, config), secrets)
		for _, things := range []string{"links", "aliases"} {
			before, after := things+"."+form, things+"-again."+form
			admin(first, things, "export", "-o", before)
			want := fmt.Sprintf("%[1]d rows: %[1]d added, 0 replaced, 0 unchanged, 0 refused", map[string]int{"links": 5, "aliases": 2}[things])
			if said := admin(second, things, "import", before, "--dry-run"); said != want+" (a dry run: nothing was changed)\n" {
				t.Errorf("a dry run of %s says %s", before, said)
			}
			if said := admin(second, things, "import", before); said != want+"\n" {
				t.Errorf("importing %s says %s, want %s", before, said, want)
			}
			admin(second, things, "export", "-o", after)
			if got, want := read(t, dir, after), read(t, dir, before); got != want {
				t.Errorf("%s was\n%s\nand is\n%s", before, want, got)
			}
			if said := admin(second, things, "export", "--format="+form, "-o", "-"); said != read(t, dir, before) {
				t.Errorf("the standard output has\n%s", said)
			}
			if said := admin(second, things, "import", before); !strings.Contains(said, "0 added, 0 replaced") {
				t.Errorf("imported once more, %s says %s", before, said)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part")); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	if made := w.Stats().Generated; made != 5 {
		t.Errorf("%d links were made, want 5", made)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestImportTellsWhatItRefuses(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	environ := []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"aliases.csv": "slug,path,title\nspring,pages/sale,Spring\nadmin,p,\nsummer,p?a=1,\nautumn,p,\n",
		"links.csv":   "path,url,expires_at\np,https://evil.example/x,2099-01-01T00:00:00Z\n",
		"broken.csv":  "slug,path\nspring,\"p\n",
		"empty.csv":   "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		claim string
		args  []string
		code  int
		want  string // a pattern
	}{
		{"what is wrong with rows is told, and the others are taken", []string{"aliases", "import", "aliases.csv"}, 1, `^row \d+: the slug "admin" is reserved.*\nrow \d+: path contains a \?.*\n4 rows: 2 added, 0 replaced, 0 unchanged, 2 refused\n$`},
		{"links to foreign hosts are refused", []string{"links", "import", "links.csv"}, 1, `^row \d+: the address is not one of kind url_link.*\n1 rows: 0 added, .* 1 refused\n$`},
		{"what is no CSV is refused", []string{"aliases", "import", "broken.csv"}, 1, `"`},
		{"an empty file is refused", []string{"aliases", "import", "empty.csv"}, 1, `^linkbroker: `},
		{"a file that is not there", []string{"aliases", "import", "nowhere.csv"}, 1, `nowhere.csv: no such file`},
		{"a name that says no form", []string{"aliases", "import", "aliases.txt"}, 1, `its name must end in .csv`},
		{"the standard input says no form", []string{"aliases", "import", "-"}, 1, `say with --format`},
		{"an export needs a name", []string{"aliases", "export"}, 1, `name the file to write with -o`},
		{"an export can be of a few", []string{"aliases", "export", "-q", "SPRING", "-o", "-", "--format=ndjson"}, 0, `^\{"slug":"spring".*\}\n$`},
		{"another form is refused", []string{"aliases", "export", "-o", "-", "--format=xml"}, 2, `must be one of csv, ndjson`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			stdout, stderr, code := run(t, dir, environ, test.args...)
			if code != test.code || !regexp.MustCompile(test.want).MatchString(stdout+stderr) {
				t.Errorf("exit code %d and\n%s%s\nwant %d and %s", code, stdout, stderr, test.code, test.want)
			}
		})
	}

	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "aliases", "import", "-", "--format=ndjson")
	cmd.Env, cmd.Stdin = environ, strings.NewReader(`{"slug":"winter","path":"p"}`)
	if said, err := cmd.CombinedOutput(); err != nil || string(said) != "1 rows: 1 added, 0 replaced, 0 unchanged, 0 refused\n" {
		t.Errorf("from the standard input: %v, %s", err, said)
	}
}
