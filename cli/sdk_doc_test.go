package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sections gives the blocks of code of docs/sdk.md under each heading.
func sections(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/sdk.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	block := regexp.MustCompile("(?s)```[a-z]+\n(.*?)```")
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		heading, text, _ := strings.Cut(section, "\n")
		for _, code := range block.FindAllStringSubmatch(text, -1) {
			found[heading] = append(found[heading], code[1])
		}
	}
	return found
}

// unindented is code without what is at the beginnings of its lines.
func unindented(code string) string {
	return "\n" + regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(strings.TrimSpace(code), "") + "\n"
}

// TestTheDocumentedLinesAreRun sees that the lines which point an SDK at the broker, and its version, are those of the
// program that TestSDKs runs.
func TestTheDocumentedLinesAreRun(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/sdk.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, program := range map[string]struct{ dir, main, pins, pin string }{
		"silenceper/wechat": {"silenceper", "main.go", "go.mod", "silenceper/wechat/v2 (v[0-9.]+)"},
		"PowerWeChat":       {"powerwechat", "main.go", "go.mod", "PowerWeChat/v3 (v[0-9.]+)"},
		"node-easywechat":   {"node-easywechat", "main.js", "package.json", `"node-easywechat": "([0-9.]+)"`},
		"nest-wechat":       {"nest-wechat", "main.js", "package.json", `"nest-wechat": "([0-9.]+)"`},
	} {
		t.Run(heading, func(t *testing.T) {
			dir := filepath.Join("testdata", "sdk", program.dir)
			code, err := os.ReadFile(filepath.Join(dir, program.main))
			if err != nil {
				t.Fatal(err)
			}
			blocks := sections(t)[heading]
			if len(blocks) < 2 {
				t.Fatalf("docs/sdk.md shows %d blocks of code", len(blocks))
			}
			for _, block := range blocks {
				if !strings.Contains(unindented(string(code)), unindented(block)) {
					t.Errorf("%s/%s does not have the documented lines\n%s", dir, program.main, block)
				}
			}
			pins, err := os.ReadFile(filepath.Join(dir, program.pins))
			if err != nil {
				t.Fatal(err)
			}
			pinned := regexp.MustCompile(program.pin).FindStringSubmatch(string(pins))
			named := regexp.MustCompile(regexp.QuoteMeta("["+heading+"]") + `\(\S+\) (\S+)`).FindStringSubmatch(string(page))
			if pinned == nil || named == nil || named[1] != pinned[1] {
				t.Errorf("docs/sdk.md names the version %q, and %q is run", named, pinned)
			}
		})
	}
}

// TestThePlainLinesOfTheDocumentAreRun runs the lines for curl and fetch as they stand in docs/sdk.md. All ask for one
// link, and so all must get the same.
func TestThePlainLinesOfTheDocumentAreRun(t *testing.T) {
	t.Parallel()
	w := newWeChat(t)
	p := serve(t, configured(t, w.configuration()), secrets)
	link := decoded(t, p.postLink(`{"path":"pages/item","query":"id=42"}`)).URL
	for heading, way := range map[string]struct {
		blocks int
		tool   string
		file   string
		run    []string
	}{
		"curl":  {4, "curl", "lines.sh", []string{"sh", "-eu"}},
		"fetch": {2, "node", "lines.mjs", []string{"node"}},
	} {
		blocks := sections(t)[heading]
		if len(blocks) != way.blocks {
			t.Errorf("docs/sdk.md has %d blocks for %s, want %d", len(blocks), heading, way.blocks)
		}
		for _, block := range blocks {
			t.Run(heading, func(t *testing.T) {
				needs(t, way.tool)
				file := filepath.Join(t.TempDir(), way.file)
				if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), way.run[0], append(way.run[1:], file)...)
				cmd.Env = []string{
					"PATH=" + os.Getenv("PATH"), "LINKBROKER_URL=" + p.public, "LINKBROKER_KEY=" + shopKey, "WECHAT_APPID=" + appID,
				}
				if said, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(said), link) {
					t.Errorf("%s\nsays %s, %v; want the link %s", block, said, err, link)
				}
			})
		}
	}
	if made := w.Stats().Generated; made != 1 {
		t.Errorf("WeChat made %d links, want 1", made)
	}
}

// needs skips where a tool is missing, but not where continuous integration runs.
func needs(t *testing.T, tool string) {
	t.Helper()
	_, err := exec.LookPath(tool)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Skipf("SKIPPED: %v", err)
	}
}
