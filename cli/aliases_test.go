package cli_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// command runs a command beside a sandbox.
func (s *sandboxed) command(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	stdout, stderr, code := run(t, s.cmd.Dir, []string{"LINKBROKER_URL=" + s.admin, "LINKBROKER_KEY=" + s.key}, args...)
	return stdout + stderr, code
}

// visitFrom goes to an alias with a browser, and gives where it leads.
func (s *sandboxed) visitFrom(t *testing.T, slug, browser string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.public+"/l/"+slug, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User-Agent", browser)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req) // which follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("a visit is answered with %s and %v", resp.Status, resp.Header)
	}
	return resp.Header.Get("Location")
}

// TestAliasOfTheSandbox prints an address and goes to it, also after kill -9, which takes the last seconds of counting
// and no more.
func TestAliasOfTheSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := serveSandbox(t, dir, "127.0.0.1:0", "127.0.0.1:0")
	public, admin := host(t, first.public), host(t, first.admin)
	if said, code := first.command(t, "aliases", "put", "Spring", "--path=pages/sale", "--query=from=poster", "--tag=print"); code != 0 || !strings.Contains(said, "spring") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	link := first.visitFrom(t, "spring", "Mozilla/5.0 (iPhone) MicroMessenger/8.0")
	if stats := call(t, "GET", first.wx+"/sandbox/stats", "").body; !strings.HasPrefix(link, "https://wxaurl.cn/") || !strings.Contains(stats, `"generated":1`) {
		t.Fatalf("it leads to %s, and WeChat made %s", link, stats)
	}
	for range 4 {
		if again := first.visitFrom(t, "SPRING", "Mozilla/5.0 (Linux; Android 15)"); again != link {
			t.Errorf("it leads to %s, then to %s", link, again)
		}
	}
	const counted = `FROM +WECHAT +IOS +ANDROID +OTHER +VISITS +FALLBACK\n20\S+ +1 +0 +4 +0 +5 +0\n$`
	eventually(t, "the visits are written", func() bool {
		said, _ := first.command(t, "aliases", "visits", "spring")
		return regexp.MustCompile(counted).MatchString(said)
	})
	first.visitFrom(t, "spring", "curl") // may be lost
	first.kill()

	second := serveSandbox(t, dir, public, admin)
	if again := second.visitFrom(t, "spring", "curl"); again != link {
		t.Errorf("after kill -9 it leads to %s, before to %s", again, link)
	}
	said, _ := second.command(t, "aliases", "visits", "spring", "--per=hour")
	if !regexp.MustCompile(`\n20\S+ \S+ \S+ +1 +0 +4 +[01] +[56] +0\n$`).MatchString(said) {
		t.Errorf("after kill -9 the visits are\n%s", said)
	}
	if said, code := second.command(t, "aliases", "qr", "spring", "-o", "code.svg"); code != 0 || said != "code.svg\n" {
		t.Errorf("qr exits with %d and says %s", code, said)
	}
	if code, err := os.ReadFile(filepath.Join(dir, "code.svg")); err != nil || !strings.HasPrefix(string(code), "<svg") {
		t.Errorf("the code is %.40q, %v", code, err)
	}
}

func TestAliasesOfARunningBroker(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	dir := configured(t, "public_url: https://go.example\n"+strings.Replace(w.configuration(), "    base_url:", "    fallback_hosts: [shop.example]\n    base_url:", 1))
	p := serve(t, dir, secrets)
	withKey := []string{"LINKBROKER_URL=" + p.admin, "LINKBROKER_KEY=" + opsKey}
	var etag string
	for _, test := range []struct {
		claim string
		args  []string
		code  int
		want  string // a pattern in what it prints; its group is the ETag from then on
	}{
		{"put makes one", []string{
			"put", "spring", "--path=pages/sale", "--query=b=2&a=1", "--title=Spring sale", "--tag=print", "--tag=2027",
			"--fallback-url=https://shop.example/sale", "--visit-limit=1000", "--ends-at=2099-01-31T08:00:00+08:00",
		}, 0, `(?s)^slug +spring\nurl +https://go.example/l/spring\nstate +open\n.*query +a=1&b=2\n.*tags +2027, print\n.*ends_at +2099-01-31T00:00:00Z\n.*visit_limit +1000\n`},
		{"put makes no second one if it shall be new", []string{"put", "Spring", "--new"}, 1, "there is an alias of this slug already"},
		{"get shows it and its ETag", []string{"get", "spring"}, 0, `\netag +([0-9a-f]{16})\n$`},
		{"update changes what it names, and the rest stays", []string{"update", "spring", "--title=Sale", "--tag=print"}, 0, `(?s)query +a=1&b=2\n.*title +Sale\ntags +print\n.*visit_limit +1000\n`},
		{"put with an old ETag is refused", []string{"put", "spring", "--if-match=ETAG"}, 1, "the alias was changed meanwhile"},
		{"put puts another in its place", []string{"put", "spring", "--if-match=*", "--path=pages/sale"}, 0, `(?s)query +-\n.*title +-\ntags +-\n.*visit_limit +-\n`},
		{"update can take an end away", []string{"update", "spring", "--ends-at=never", "--disabled"}, 0, `(?s)state +disabled\n.*ends_at +-\n`},
		{"create draws a slug", []string{"create", "--query=id=42", "--title=\x1b[2J"}, 0, `(?s)^slug +[a-z0-9]{16}\n.*title +\?\[2J\n`},
		{"list shows all", []string{"list"}, 0, `(?m)^SLUG +STATE +PATH.*\n(.*\n)*spring +disabled +pages/sale +- +- +- +https://go.example/l/spring\n`},
		{"list filters", []string{"list", "-q", "ID=42"}, 0, `^SLUG.*\n[a-z0-9]{16} +open +- +id=42 .*\n$`},
		{"list by a tag that nothing has", []string{"list", "--tag=nothing"}, 0, `^SLUG.*\n$`},
		{"list says that there is more", []string{"list", "--limit=1"}, 0, `There are more: add --cursor \S+\n`},
		{"get prints JSON", []string{"get", "spring", "-o", "json"}, 0, `^\{\n  "slug": "spring",\n`},
		{"visits of none", []string{"visits", "spring", "--per=total"}, 0, `^FROM.*\n$`},
		{"a png is drawn", []string{"qr", "spring", "-o", "code.png", "--size=256", "--level=H", "--cq=shop=7"}, 0, `^code.png\n$`},
		{"no other picture is", []string{"qr", "spring", "-o", "code.gif"}, 1, `ends in .svg or .png`},
		{"a bad moment is refused", []string{"put", "x", "--starts-at=tomorrow"}, 1, `--starts-at must be a moment such as`},
		{"a foreign fallback is refused", []string{"put", "x", "--fallback-url=https://evil.example/"}, 1, "fallback_url must be https, and its host in the app's fallback_hosts"},
		{"what is no slug is not sent", []string{"get", "../jobs"}, 1, `"../jobs" is not the slug of an alias`},
		{"a reserved slug is refused", []string{"put", "admin"}, 1, `the slug "admin" is reserved`},
		{"rm deletes", []string{"rm", "spring"}, 0, `^spring deleted\n$`},
		{"what is deleted is gone", []string{"get", "spring"}, 1, `there is no such alias`},
	} {
		t.Run(test.claim, func(t *testing.T) {
			for i, arg := range test.args {
				test.args[i] = strings.Replace(arg, "ETAG", etag, 1)
			}
			stdout, stderr, code := run(t, dir, withKey, append([]string{"aliases"}, test.args...)...)
			found := regexp.MustCompile(test.want).FindStringSubmatch(stdout + stderr)
			if code != test.code || found == nil {
				t.Fatalf("exit code %d and\n%s%s\nwant %d and %s", code, stdout, stderr, test.code, test.want)
			}
			if len(found) > 1 && strings.Contains(test.want, "etag") {
				etag = found[1]
			}
		})
	}
	if code, err := os.ReadFile(filepath.Join(dir, "code.png")); err != nil || !strings.HasPrefix(string(code), "\x89PNG") {
		t.Error(fmt.Errorf("the code is %.8q: %w", code, err))
	}
}
