package cache_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"linkbroker/broker"
	"linkbroker/cache"
)

// recordedAliases are those whose bytes are pinned. What is fuzzed begins with them, too.
func recordedAliases() map[string]broker.Alias {
	full := aliasOf("spring-sale_2026")
	full.Target = recordedLinks()["full"].Target
	full.Target.Scope = ""
	full.Target.Extra = json.RawMessage(`{"safety_notice":"<on>"}`)
	full.Splice, full.Disabled, full.VisitLimit = true, true, 1<<40
	full.Tags = []string{"a", "é"}
	full.StartsAt, full.EndsAt = noon, date(9999)
	full.FallbackURL = "https://example.com/later"
	bare := aliasOf("1")
	bare.Tags = []string{}
	return map[string]broker.Alias{"plain": aliasOf("sale"), "full": full, "bare": bare}
}

func TestAliasRecordsAreReadForever(t *testing.T) {
	aliases, written := recordedAliases(), make(map[string][]byte)
	for name, alias := range aliases {
		written[name] = must(cache.EncodeAlias(alias))
	}
	for name, want := range golden(t, "aliases.golden", written) {
		alias := aliases[name]
		if got, err := cache.DecodeAlias([]byte(alias.Slug), want); err != nil || !reflect.DeepEqual(got, alias) {
			t.Errorf("%s: the record reads %+v, %v", name, got, err)
		}
	}
}

func TestAliasRecordsWrittenOutAreRead(t *testing.T) {
	aliases := recordedAliases()
	for name, record := range pinned(t, "aliases-plain.golden") {
		alias := aliases[name]
		if got, err := cache.DecodeAlias([]byte(alias.Slug), record); err != nil || !reflect.DeepEqual(got, alias) {
			t.Errorf("%s: the record reads %+v, %v", name, got, err)
		}
	}
}

func TestEveryFlippedBitOfAnAliasIsNoticed(t *testing.T) {
	alias := recordedAliases()["full"]
	slug, record := []byte(alias.Slug), must(cache.EncodeAlias(alias))
	for bit := range len(record) * 8 {
		flipped := bytes.Clone(record)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := cache.DecodeAlias(slug, flipped); !cache.IsDamage(err) {
			t.Fatalf("bit %d flipped, and the record reads with error %v", bit, err)
		}
	}
	for size := range record {
		if _, err := cache.DecodeAlias(slug, record[:size]); !cache.IsDamage(err) {
			t.Fatalf("cut to %d bytes, and the record reads with error %v", size, err)
		}
	}
}

func TestAnAliasUnderAnotherSlugIsNotRead(t *testing.T) {
	record := must(cache.EncodeAlias(recordedAliases()["plain"]))
	if _, err := cache.DecodeAlias([]byte("tale"), record); !cache.IsDamage(err) {
		t.Errorf("a record moved to another slug reads with error %v", err)
	}
	if _, err := cache.DecodeAlias([]byte("tale"), cache.Seal([]byte("tale"), record)); !cache.IsDamage(err) {
		t.Errorf("the record of another slug reads with error %v", err)
	}
}

func TestFieldsOfALaterAliasArePassedOver(t *testing.T) {
	alias := recordedAliases()["full"]
	record := must(cache.EncodeAlias(alias))
	record = protowire.AppendTag(record, 99, protowire.BytesType)
	record = protowire.AppendString(record, "news")
	got, err := cache.DecodeAlias([]byte(alias.Slug), cache.Seal([]byte(alias.Slug), record))
	if err != nil || !reflect.DeepEqual(got, alias) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// FuzzAliasRecord seals whatever bytes as the body of a sound record under the slug that they repeat. What reads as
// an alias must come back unchanged.
func FuzzAliasRecord(f *testing.F) {
	for _, alias := range recordedAliases() {
		f.Add(must(cache.EncodeAlias(alias))[cache.RecordHeader:])
	}
	far := protowire.AppendTag([]byte("\x0a\x01s"), 6, protowire.BytesType)
	far = protowire.AppendBytes(far, protowire.AppendVarint([]byte{8}, 1<<63))
	f.Add(far)
	f.Fuzz(func(t *testing.T, body []byte) {
		slug := cache.SlugOfBody(body)
		alias, err := cache.DecodeAlias(slug, cache.Seal(slug, append(make([]byte, cache.RecordHeader), body...)))
		if err != nil {
			if !cache.IsDamage(err) {
				t.Fatalf("an error that is no damage: %v", err)
			}
			return
		}
		again, err := cache.EncodeAlias(alias)
		if err != nil {
			t.Fatalf("read, but not writable: %+v: %v", alias, err)
		}
		if got, err := cache.DecodeAlias(slug, again); err != nil || !reflect.DeepEqual(got, alias) || got.ETag() != alias.ETag() {
			t.Fatalf("read as %+v and then as %+v, %v", alias, got, err)
		}
	})
}

func BenchmarkDecodeAlias(b *testing.B) {
	alias := recordedAliases()["plain"]
	record := must(cache.EncodeAlias(alias))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.DecodeAlias([]byte(alias.Slug), record); err != nil {
			b.Fatal(err)
		}
	}
}
