package cache_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"linkbroker/broker"
	"linkbroker/cache"
	"linkbroker/cache/redistest"
)

// leastRights gives the rules of deploy/users.acl, in which the stores of the tests may have prefixes of their own.
func leastRights(t *testing.T) string {
	t.Helper()
	rules, err := os.ReadFile("../deploy/users.acl")
	noErr(t, err)
	return strings.ReplaceAll(string(rules), "~linkbroker:*", "~t*:*")
}

// serverWithRules starts a server with an ACL file, which the test asks as a user.
func serverWithRules(t *testing.T, rules, user string) *redistest.Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.acl")
	noErr(t, os.WriteFile(path, []byte(rules), 0o600))
	s := redistest.Storing(t, t.TempDir(), "--aclfile", path)
	s.User = user
	s.EndWith(t)
	s.Start(t)
	return s
}

// TestTheRightsOfTheACLFileLetAServerReadItsFile starts a server again: it reads what it has written as the user default, and leaves
// out whatever that one may not do.
func TestTheRightsOfTheACLFileLetAServerReadItsFile(t *testing.T) {
	t.Parallel()
	server := serverWithRules(t, leastRights(t), "health x")
	url := ownURL(t, fmt.Sprintf("redis://linkbroker:PASSWORD@%s?", server.Addr))
	r := openRedis(t, url)
	links := put(t, r, numberedUpTo(20)...)
	_, _, err := r.ReserveQuota(t.Context(), "wx1", "2026-03-01", 7, 10)
	noErr(t, err)
	noErr(t, r.Close())
	server.Kill()
	server.Start(t)
	r = openRedis(t, url)
	for _, link := range links {
		wantLink(t, r, link)
	}
	if spent, err := r.ReservedQuota(t.Context(), "wx1", "2026-03-01"); err != nil || spent != 7 {
		t.Errorf("of the quota %d units are known, %v", spent, err)
	}
}

// TestNobodyLogsInBesides tries what whoever reaches the server's port may try.
func TestNobodyLogsInBesides(t *testing.T) {
	t.Parallel()
	server := serverWithRules(t, leastRights(t), "health x")
	for _, user := range []string{"nobody", "health", "default", "admin"} {
		server.User = user + " x"
		for _, command := range []string{"GET x", "CONFIG GET dir", "KEYS *", "FLUSHALL", "SHUTDOWN", "ACL LIST"} {
			if answer, err := server.Ask(command); err != nil || !strings.HasPrefix(answer, "-NO") {
				t.Errorf("user %q is answered %q with %q, %v", user, command, answer, err)
			}
		}
	}
}

// TestTheRightsOfTheACLFileDo runs all that a store does as the user of deploy/users.acl, and sees that it needs each right: but
// for that to wait for replicas, of which there are none here.
func TestTheRightsOfTheACLFileDo(t *testing.T) {
	t.Parallel()
	rules := leastRights(t)
	url := fmt.Sprintf("redis://linkbroker:PASSWORD@%s?", serverWithRules(t, rules, "health x").Addr)
	for _, promises := range []map[string]func(*testing.T, broker.Store){promises, aliasPromises, clientPromises, statPromises} {
		for claim, prove := range promises {
			t.Run(claim, func(t *testing.T) { prove(t, openRedis(t, ownURL(t, url))) })
		}
	}
	r := leaser(t, ownURL(t, url))
	noErr(t, r.AppendAudit(t.Context(), broker.AuditEntry{At: noon, Actor: "ops"}))
	turn := takes(t, r, "jobs")
	<-time.After(1500 * time.Millisecond) // until it has been renewed
	turn.Leave(t.Context(), broker.Note{Text: []byte("note"), Life: time.Minute})
	noErr(t, r.PutNote(t.Context(), "deleted/1", broker.Note{Text: []byte("note"), Life: time.Minute}))
	note, err := r.NoteOf(t.Context(), "deleted/1")
	if noErr(t, err); string(note.Text) != "note" {
		t.Errorf("the note is %q", note.Text)
	}
	_, err = r.Share(t.Context(), "rate/wx1")
	noErr(t, err)
	_, err = cache.ExamineRedis(t.Context(), ownURL(t, url), time.Now)
	noErr(t, err)

	used := commandsUsed(t, url)
	for right := range strings.FieldsSeq(rules[strings.LastIndex(rules, "-@all"):]) {
		if command, granted := strings.CutPrefix(right, "+"); granted && command != "wait" && !used[command] {
			t.Errorf("nothing needs the right to %s", command)
		}
	}
}

// TestTheRightsOfTheACLFileDoInACluster runs the promises about links, which lie on all of its nodes, with what
// docs/several-machines.md adds to that file.
func TestTheRightsOfTheACLFileDoInACluster(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() { <-time.After(5100 * time.Millisecond) }) // so long rueidis keeps connections that it has replaced
	_, user, _ := strings.Cut(strings.TrimSpace(leastRights(t)), "user linkbroker ")
	path := filepath.Join(t.TempDir(), "users.acl")
	rules := "user default on nopass ~* &* +@all\nuser linkbroker " + user + " +cluster|slots +cluster|shards +asking\n"
	noErr(t, os.WriteFile(path, []byte(rules), 0o600))
	url := redistest.ClusterURL(redistest.StartCluster(t, redistest.Start, "--aclfile", path)) + "&"
	url = strings.Replace(url, "redis://", "redis://linkbroker:PASSWORD@", 1)
	for claim, prove := range promises {
		t.Run(claim, func(t *testing.T) { prove(t, openRedis(t, ownURL(t, url))) })
	}
}

// commandsUsed names the commands that a server has run, those of scripts among them.
func commandsUsed(t *testing.T, url string) map[string]bool {
	t.Helper()
	option, err := rueidis.ParseURL(strings.TrimSuffix(url, "?"))
	noErr(t, err)
	client, err := rueidis.NewClient(option)
	noErr(t, err)
	defer client.Close()
	info, err := client.Do(t.Context(), client.B().Info().Section("commandstats").Build()).ToString()
	noErr(t, err)
	used := make(map[string]bool)
	for line := range strings.Lines(info) {
		name, counts, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		used[name] = strings.HasPrefix(counts, "calls=") && !strings.HasPrefix(counts, "calls=0,")
	}
	return used
}
