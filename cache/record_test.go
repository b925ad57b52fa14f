package cache_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"linkbroker/broker"
	"linkbroker/cache"
)

// noon is a moment with every digit of its nanoseconds in use.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)

// linkOf completes a target to a link that lives 30 days from noon.
func linkOf(target broker.Target, ticket string) broker.Link {
	target, err := target.Normalize()
	if err != nil {
		panic(err)
	}
	return broker.Link{
		Key:         target.Key(),
		Target:      target,
		URL:         "https://wxaurl.cn/" + ticket,
		GeneratedAt: noon,
		ExpiresAt:   noon.Add(30*24*time.Hour - time.Minute),
	}
}

func recordedLinks() map[string]broker.Link {
	plain := linkOf(broker.Target{App: "wx0123456789abcdef", Path: "pages/product/detail", Query: "id=12345"}, "AbCdEfGhIjK")
	used := plain
	used.UsedAt, used.Uses, used.Pinned = noon.Add(time.Hour), 1<<40, true
	known := used.Touched(broker.Use{Count: 300, UsedAt: noon}).Touched(broker.Use{Count: 1, UsedAt: noon.AddDate(0, 0, 9)})
	known.Rotations, known.AskedBy = 1<<40, "shop-web"
	answered := plain
	answered.Extra = json.RawMessage(`{"notice":"new"}`)
	made := plain // as the broker makes them: to the millisecond, and to the second
	made.GeneratedAt, made.ExpiresAt = noon.Truncate(time.Millisecond), plain.ExpiresAt.Truncate(time.Second)
	return map[string]broker.Link{
		"plain": plain,
		"made":  made,
		"used":  used,
		"known": known,
		"home":  linkOf(broker.Target{App: "wx0123456789abcdef"}, "h"),
		"days":  linkOf(broker.Target{App: "wx0123456789abcdef", Env: broker.Trial, Expiry: broker.Expiry{Days: 7}}, "d"),
		"at":    linkOf(broker.Target{App: "wx0123456789abcdef", Env: broker.Develop, Expiry: broker.Expiry{At: time.Unix(1772500000, 0)}}, "a"),
		"full": linkOf(broker.Target{
			App: "wx0123456789abcdef", Path: "p", Query: "b=2&a=%20+", Scope: "campaign é",
			CloudBase: &broker.CloudBase{
				Env: "env-1", Domain: "example.com", Path: "/x", Query: "y=1", ResourceAppID: "wxother",
				Extra: json.RawMessage(`{"n":1}`),
			},
			Extra: json.RawMessage(`{"safety_notice":true}`),
		}, "f"),
		"capital":   linkOf(broker.Target{App: "wx0123456789ABCDEF"}, "c"),
		"mp":        ofKind("https://wxmpurl.cn/m", broker.Target{Path: "p"}),
		"elsewhere": ofKind("https://example.com/e", broker.Target{Path: "p"}),
		"scheme":    ofKind("weixin://dl/business/?t=s", broker.Target{Kind: broker.Scheme, Path: "p", Extra: json.RawMessage(`{"jump_wxa":{"n":1}}`)}),
		"short":     ofKind("#小程序://s/s", broker.Target{Kind: broker.ShortLink, Path: "p", Title: "茶"}),
		"permanent": ofKind("#小程序://p/p", broker.Target{Kind: broker.ShortLink, Path: "p", Expiry: broker.Expiry{Never: true}}),
		"answered":  answered,
	}
}

// ofKind is linkOf for links that are no web addresses.
func ofKind(url string, target broker.Target) broker.Link {
	target.App = "wx0123456789abcdef"
	link := linkOf(target, "")
	link.URL = url
	return link
}

func TestALinkComesBackFromItsRecordUnchanged(t *testing.T) {
	for name, link := range recordedLinks() {
		t.Run(name, func(t *testing.T) {
			record, err := cache.EncodeLink(link)
			if err != nil {
				t.Fatal(err)
			}
			got, err := cache.DecodeLink(link.Key, record)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, link) {
				t.Errorf("got  %+v\nwant %+v", got, link)
			}
		})
	}
}

// TestRecordsAreReadForever pins the bytes: files written today must be readable by every later version.
func TestRecordsAreReadForever(t *testing.T) {
	links, written := recordedLinks(), make(map[string][]byte)
	for name, link := range links {
		written[name] = must(cache.EncodeLink(link))
	}
	for name, want := range golden(t, "records.golden", written) {
		link := links[name]
		if got, err := cache.DecodeLink(link.Key, want); err != nil || !reflect.DeepEqual(got, link) {
			t.Errorf("%s: the record reads %+v, %v", name, got, err)
		}
	}
}

// TestRecordsWrittenOutAreRead: files hold links whose appids and URLs are texts and whose moments are nanoseconds.
func TestRecordsWrittenOutAreRead(t *testing.T) {
	links := recordedLinks()
	for name, record := range pinned(t, "records-plain.golden") {
		link := links[name]
		if got, err := cache.DecodeLink(link.Key, record); err != nil || !reflect.DeepEqual(got, link) {
			t.Errorf("%s: the record reads %+v, %v", name, got, err)
		}
	}
}

// golden compares what is written now with the bytes in a file, and gives those.
func golden(t *testing.T, file string, written map[string][]byte) map[string][]byte {
	t.Helper()
	path := filepath.Join("testdata", file)
	if os.Getenv("GOLDEN") == "update" {
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(written)) {
			fmt.Fprintf(&out, "%s %x\n", name, written[name])
		}
		noErr(t, os.WriteFile(path, []byte(out.String()), 0o644))
	}
	records := pinned(t, file)
	for name, record := range records {
		if !bytes.Equal(record, written[name]) {
			t.Errorf("%s: %s is now written as %x", file, name, written[name])
		}
	}
	if len(records) != len(written) {
		t.Errorf("%d of %d are in %s", len(records), len(written), file)
	}
	return records
}

// pinned reads the records of a file.
func pinned(t *testing.T, file string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	noErr(t, err)
	records := make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		records[name], err = hex.DecodeString(digits)
		noErr(t, err)
	}
	return records
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestAPlainRecordIsCompact(t *testing.T) {
	record, err := cache.EncodeLink(recordedLinks()["made"])
	if err != nil {
		t.Fatal(err)
	}
	if len(record) > 76 {
		t.Errorf("%d bytes, want at most 76", len(record))
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	link := recordedLinks()["full"]
	record, err := cache.EncodeLink(link)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(record) * 8 {
		flipped := append([]byte(nil), record...)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := cache.DecodeLink(link.Key, flipped); err == nil {
			t.Fatalf("bit %d flipped, and the record still reads", bit)
		}
	}
	for size := range record {
		if _, err := cache.DecodeLink(link.Key, record[:size]); err == nil {
			t.Fatalf("cut to %d bytes, and the record still reads", size)
		}
	}
}

func TestARecordUnderAnotherKeyIsNotRead(t *testing.T) {
	links := recordedLinks()
	record, err := cache.EncodeLink(links["plain"])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.DecodeLink(links["days"].Key, record); err == nil {
		t.Error("a record moved to another key still reads")
	}
	other := links["days"].Key
	if _, err := cache.DecodeLink(other, cache.Seal(other[:], append([]byte(nil), record...))); err == nil {
		t.Error("a target that does not hash to the key is accepted")
	}
}

func TestFieldsOfALaterVersionArePassedOver(t *testing.T) {
	link := recordedLinks()["full"]
	record, err := cache.EncodeLink(link)
	if err != nil {
		t.Fatal(err)
	}
	record = protowire.AppendTag(record, 99, protowire.BytesType)
	record = protowire.AppendString(record, "news")
	record = protowire.AppendTag(record, 100, protowire.Fixed32Type)
	record = protowire.AppendFixed32(record, 7)
	got, err := cache.DecodeLink(link.Key, cache.Seal(link.Key[:], record))
	if err != nil || !reflect.DeepEqual(got, link) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatCouldNotBeReadAgainIsNotWritten(t *testing.T) {
	good := recordedLinks()["plain"]
	for name, spoil := range map[string]func(*broker.Link){
		"a key that is not the target's": func(l *broker.Link) { l.Key[0]++ },
		"no URL":                         func(l *broker.Link) { l.URL = "" },
		"no end":                         func(l *broker.Link) { l.ExpiresAt = time.Time{} },
		"an end before 1970":             func(l *broker.Link) { l.ExpiresAt = time.Unix(-1, 0) },
		"an end in the year 2300":        func(l *broker.Link) { l.ExpiresAt = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			link := good
			spoil(&link)
			if _, err := cache.EncodeLink(link); err == nil {
				t.Error("it was encoded")
			}
		})
	}
}

// FuzzRecord seals whatever bytes as the body of a sound record under the key they hash to, since random bytes pass
// neither check. What reads as a link must come back unchanged.
func FuzzRecord(f *testing.F) {
	for _, link := range recordedLinks() {
		record, err := cache.EncodeLink(link)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(record[cache.RecordHeader:])
		f.Add(record)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		key := cache.KeyOfBody(body)
		if _, err := cache.DecodeLink(key, body); err != nil && !cache.IsDamage(err) {
			t.Fatalf("an error that is no damage: %v", err)
		}
		record := cache.Seal(key[:], append(make([]byte, cache.RecordHeader), body...))
		link, err := cache.DecodeLink(key, record)
		if err != nil {
			if !cache.IsDamage(err) {
				t.Fatalf("an error that is no damage: %v", err)
			}
			return
		}
		if link.Target.Key() != key {
			t.Fatalf("the link of another key was read: %+v", link)
		}
		again, err := cache.EncodeLink(link)
		if err != nil {
			t.Fatalf("read, but not writable: %v", err)
		}
		if got, err := cache.DecodeLink(key, again); err != nil || !reflect.DeepEqual(got, link) {
			t.Fatalf("read as %+v and then as %+v, %v", link, got, err)
		}
	})
}

func BenchmarkDecodeLink(b *testing.B) {
	link := recordedLinks()["plain"]
	record, err := cache.EncodeLink(link)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.DecodeLink(link.Key, record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeLink(b *testing.B) {
	link := recordedLinks()["plain"]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.EncodeLink(link); err != nil {
			b.Fatal(err)
		}
	}
}
