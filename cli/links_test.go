package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLinksOfARunningBroker(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	p := serve(t, dir, secrets)
	link := decoded(t, p.postLink(`{"path":"pages/item","query":"id=42"}`))
	decoded(t, p.postLink(`{"path":"pages/other"}`))
	keyFile := filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(opsKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withKey := []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}

	for _, test := range []struct {
		claim   string
		environ []string
		args    []string
		code    int
		want    string // a pattern in what it prints
	}{
		{"list shows all", withKey, []string{"links", "list"}, 0, `(?s)KEY +APP.*pages/item.*` + link.URL},
		{"list says that there is more", withKey, []string{"links", "list", "--limit=1"}, 0, `There are more: add --cursor \S+\n`},
		{"list filters", withKey, []string{"links", "list", "-q", "OTHER"}, 0, `^KEY.*\n\S+ +` + appID + ` +release +pages/other +-.*\n$`},
		{"list refuses a bad sort", withKey, []string{"links", "list", "--sort=colour"}, 1, `^linkbroker: .*colour`},
		{"get shows one", withKey, []string{"links", "get", link.Key}, 0, `(?m)^query +id=42$`},
		{
			"the key may stand in a file",
			[]string{"LINKBROKER_KEY_FILE=" + keyFile},
			[]string{"links", "get", link.Key, "--url", p.admin},
			0, `(?m)^query +id=42$`,
		},
		{"or in one that a flag names", nil, []string{"links", "get", link.Key, "--url", p.admin, "--key-file", keyFile}, 0, `(?m)^query +id=42$`},
		{"get prints JSON", withKey, []string{"links", "get", link.Key, "-o", "json"}, 0, `^\{\n(.*\n)*  "alive": true\n`},
		{"another format is refused", withKey, []string{"links", "get", link.Key, "-o", "xml"}, 2, `must be one of table, json`},
		{"what is no key is refused", withKey, []string{"links", "get", "../jobs"}, 1, `"../jobs" is not the key of a link`},
		{"no key at all is wrong usage", withKey, []string{"links", "get"}, 2, "accepts 1 arg.*\nSee `linkbroker links get --help`"},
		{"renew generates a fresh one", withKey, []string{"links", "renew", link.Key}, 0, `(?m)^url +https://wxaurl.cn/`},
		{"rm deletes", withKey, []string{"links", "rm", link.Key}, 0, `^` + link.Key + ` deleted\n$`},
		{"what is deleted is gone", withKey, []string{"links", "get", link.Key}, 1, `^linkbroker: .*It may have been deleted`},
		{"a key is needed", []string{"LINKBROKER_URL=" + p.admin}, []string{"links", "list"}, 1, `an API key of role admin is needed`},
		{
			"an admin's key is needed",
			[]string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + shopKey},
			[]string{"links", "list"},
			1, `this needs a key of role admin`,
		},
		{
			"what cannot be a key is not sent",
			[]string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=two words"},
			[]string{"links", "list"},
			1, `the key given cannot be one`,
		},
		{
			"the wrong listener says so",
			[]string{"LINKBROKER_URL=" + p.public, "LINKBROKER_KEY=" + opsKey},
			[]string{"links", "list"},
			1, `^linkbroker: `,
		},
		{
			"no broker says so",
			[]string{"LINKBROKER_URL=http://127.0.0.1:1", "LINKBROKER_KEY=" + opsKey},
			[]string{"links", "list"},
			1, `no answer from http://127.0.0.1:1: is linkbroker running there\?`,
		},
		{
			"an address that is none is refused",
			[]string{"LINKBROKER_URL=127.0.0.1:8081", "LINKBROKER_KEY=" + opsKey},
			[]string{"links", "list"},
			1, `must look like http://127.0.0.1:8081`,
		},
	} {
		t.Run(test.claim, func(t *testing.T) {
			stdout, stderr, code := run(t, dir, test.environ, test.args...)
			if code != test.code || !regexp.MustCompile(test.want).MatchString(stdout+stderr) {
				t.Errorf("exit code %d and\n%s%s\nwant %d and %s", code, stdout, stderr, test.code, test.want)
			}
		})
	}
	if made := w.Stats().Generated; made != 3 {
		t.Errorf("WeChat made %d links, want 3: two asked for and one renewed", made)
	}
}

func TestJobsOfARunningBroker(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, w.configuration())
	p := serve(t, dir, secrets)
	decoded(t, p.postLink(`{"path":"pages/item"}`))
	environ := []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}

	stdout, _, code := run(t, dir, environ, "jobs", "run", "backup")
	if code != 0 || !regexp.MustCompile(`backup +30 3 \* \* \*.*damaged 0, deleted 0, links 1`).MatchString(stdout) {
		t.Errorf("jobs run backup exits with %d and prints\n%s", code, stdout)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "data/backups/links-*.db")); len(files) != 1 {
		t.Errorf("there are the backups %q, want one", files)
	}
	stdout, _, code = run(t, dir, environ, "jobs", "list", "-o", "json")
	var list struct {
		Items []struct {
			Name string
			Runs int
		}
	}
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || code != 0 {
		t.Fatalf("jobs list exits with %d and prints %s", code, stdout)
	}
	runs := map[string]int{}
	for _, job := range list.Items {
		runs[job.Name] = job.Runs
	}
	if len(runs) != 5 || runs["backup"] != 1 {
		t.Errorf("the jobs ran %v", runs)
	}
	for _, name := range []string{"nothing", "../links"} {
		if _, stderr, code := run(t, dir, environ, "jobs", "run", name); code != 1 || !strings.Contains(stderr, "there is no job") {
			t.Errorf("jobs run %s exits with %d and says %s", name, code, stderr)
		}
	}
	// A folder that cannot be written fails the job, and that the command.
	if err := os.RemoveAll(filepath.Join(dir, "data/backups")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data/backups"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := run(t, dir, environ, "jobs", "run", "backup"); code != 1 || !strings.Contains(stderr, "the job failed: copying the store") {
		t.Errorf("a backup that fails exits with %d and says %s", code, stderr)
	}
}
