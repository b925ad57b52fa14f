package cache

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"linkbroker/broker"
)

// The fields of a link's body, in protobuf's wire format. A number is never used again for another meaning, and a
// reader passes over numbers it does not know: an older program can read what a newer one wrote.
const (
	fieldApp         protowire.Number = 1 // see appendApp
	fieldPath        protowire.Number = 2
	fieldQuery       protowire.Number = 3
	fieldURL         protowire.Number = 4 // or one of urlForms
	fieldGeneratedAt protowire.Number = 5 // moments are as appendMoment writes them
	fieldExpiresAt   protowire.Number = 6
	fieldUsedAt      protowire.Number = 7 // absent = never
	fieldUses        protowire.Number = 8
	fieldPinned      protowire.Number = 9
	fieldKind        protowire.Number = 10 // absent = URL Link
	fieldEnv         protowire.Number = 11 // absent = release
	fieldExpiryDays  protowire.Number = 12
	fieldExpiryAt    protowire.Number = 13 // seconds since 1970
	fieldScope       protowire.Number = 14
	fieldCloudBase   protowire.Number = 15
	fieldExtra       protowire.Number = 16
	fieldPageTitle   protowire.Number = 17
	fieldExpiryNever protowire.Number = 18
	fieldAnswerExtra protowire.Number = 19
	fieldRecent      protowire.Number = 20 // as broker.DailyUses says
	fieldRotations   protowire.Number = 21
	fieldAskedBy     protowire.Number = 22
	fieldWxaURL      protowire.Number = 23 // 23 to 26: a URL without what all of its form begin with
	fieldWxmpURL     protowire.Number = 24
	fieldSchemeURL   protowire.Number = 25
	fieldShortURL    protowire.Number = 26
)

// urlForms are what WeChat's links begin with: a third of a plain record, were it written out each time.
var urlForms = [...]struct {
	field  protowire.Number
	prefix string
}{
	{fieldWxaURL, "https://wxaurl.cn/"},
	{fieldWxmpURL, "https://wxmpurl.cn/"},
	{fieldSchemeURL, "weixin://dl/business/?t="},
	{fieldShortURL, "#小程序://"},
}

// The fields of a cloud_base.
const (
	fieldCloudEnv      protowire.Number = 1
	fieldCloudDomain   protowire.Number = 2
	fieldCloudPath     protowire.Number = 3
	fieldCloudQuery    protowire.Number = 4
	fieldCloudResource protowire.Number = 5
	fieldCloudExtra    protowire.Number = 6
)

// lastMoment bounds what a record can hold, in seconds since 1970: the year 2242. Nanoseconds overflow in 2262.
const lastMoment = 1 << 33

// encodeLink makes the record of a link. It refuses what could not be read again.
func encodeLink(link broker.Link) ([]byte, error) {
	t := link.Target
	if t.Key() != link.Key {
		return nil, errors.New("the link's target does not hash to its key")
	}
	if err := storable(link); err != nil {
		return nil, err
	}
	size := 90 + len(t.App) + len(t.Path) + len(t.Query) + len(link.URL) + len(t.Scope) + len(t.Extra) +
		len(link.Extra) + len(link.Recent) + len(link.AskedBy)
	b := make([]byte, headerSize, size)
	b = appendTarget(b, t)
	b = appendURL(b, link.URL)
	b = appendMoment(b, fieldGeneratedAt, link.GeneratedAt)
	b = appendMoment(b, fieldExpiresAt, link.ExpiresAt)
	b = appendMoment(b, fieldUsedAt, link.UsedAt)
	b = appendNumber(b, fieldUses, link.Uses)
	b = appendNumber(b, fieldPinned, protowire.EncodeBool(link.Pinned))
	b = appendText(b, fieldAnswerExtra, string(link.Extra))
	b = appendText(b, fieldRecent, string(link.Recent))
	b = appendNumber(b, fieldRotations, link.Rotations)
	b = appendText(b, fieldAskedBy, link.AskedBy)
	return seal(link.Key[:], b), nil
}

// storable refuses a link that is none, or that lies outside what a record can hold.
func storable(link broker.Link) error {
	if link.URL == "" || link.ExpiresAt.IsZero() {
		return errors.New("the link has no URL or no end")
	}
	for _, moment := range [...]time.Time{link.GeneratedAt, link.ExpiresAt, link.UsedAt} {
		if err := storableMoment(moment); err != nil {
			return err
		}
	}
	return nil
}

func storableMoment(t time.Time) error {
	if !t.IsZero() && (t.Unix() < 0 || t.Unix() >= lastMoment) {
		return fmt.Errorf("the year %d is out of range", t.Year())
	}
	return nil
}

func appendURL(b []byte, url string) []byte {
	for _, form := range urlForms {
		if rest, ok := strings.CutPrefix(url, form.prefix); ok {
			b = protowire.AppendTag(b, form.field, protowire.BytesType)
			return protowire.AppendString(b, rest)
		}
	}
	return appendText(b, fieldURL, url)
}

func appendTarget(b []byte, t broker.Target) []byte {
	b = appendApp(b, t.App)
	b = appendText(b, fieldPath, t.Path)
	b = appendText(b, fieldQuery, t.Query)
	if t.Kind != broker.URLLink {
		b = protowire.AppendTag(b, fieldKind, protowire.BytesType)
		b = protowire.AppendString(b, string(t.Kind))
	}
	if t.Env != broker.Release {
		b = protowire.AppendTag(b, fieldEnv, protowire.BytesType)
		b = protowire.AppendString(b, string(t.Env))
	}
	b = appendNumber(b, fieldExpiryDays, uint64(t.Expiry.Days)) //nolint:gosec // back to the same int when read
	if at := t.Expiry.At; !at.IsZero() {
		b = protowire.AppendTag(b, fieldExpiryAt, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(at.Unix())) //nolint:gosec // back to the same int64 when read
	}
	b = appendText(b, fieldScope, t.Scope)
	if t.CloudBase != nil {
		b = appendNested(b, fieldCloudBase, appendCloudBase(nil, t.CloudBase))
	}
	b = appendText(b, fieldPageTitle, t.Title)
	b = appendNumber(b, fieldExpiryNever, protowire.EncodeBool(t.Expiry.Never))
	return appendText(b, fieldExtra, string(t.Extra))
}

// appendApp writes an appid, which is "wx" and 16 hexadecimal digits, as 64 bits, and any other as text.
func appendApp(b []byte, app string) []byte {
	digits, ok := strings.CutPrefix(app, "wx")
	number, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil || len(digits) != 16 || strings.ContainsAny(digits, "ABCDEF") {
		return appendText(b, fieldApp, app)
	}
	b = protowire.AppendTag(b, fieldApp, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, number)
}

func (f field) app() string {
	if f.wire != protowire.Fixed64Type {
		return f.text
	}
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], f.value)
	app := [18]byte{'w', 'x'}
	hex.Encode(app[2:], number[:])
	return string(app[:])
}

func appendCloudBase(b []byte, c *broker.CloudBase) []byte {
	b = appendText(b, fieldCloudEnv, c.Env)
	b = appendText(b, fieldCloudDomain, c.Domain)
	b = appendText(b, fieldCloudPath, c.Path)
	b = appendText(b, fieldCloudQuery, c.Query)
	b = appendText(b, fieldCloudResource, c.ResourceAppID)
	return appendText(b, fieldCloudExtra, string(c.Extra))
}

// decodeLink reads the record kept under a key. Its error is a damage. The link shares no memory with the record.
func decodeLink(key broker.Key, record []byte) (broker.Link, error) {
	body, err := unseal(key[:], record)
	if err != nil {
		return broker.Link{}, err
	}
	link, err := readBody(body)
	if err != nil {
		return broker.Link{}, err
	}
	link.Key = key
	if link.Target.Key() != key {
		return broker.Link{}, damagedTarget
	}
	if storable(link) != nil {
		return broker.Link{}, damagedForm
	}
	return link, nil
}

func readBody(body []byte) (broker.Link, error) {
	var link broker.Link
	link.Target.Kind, link.Target.Env = broker.URLLink, broker.Release
	err := eachField(body, string(body), func(f field) error { return setLink(&link, f) })
	return link, err
}

func setLink(link *broker.Link, f field) error {
	switch f.number {
	case fieldURL:
		link.URL = f.text
	case fieldWxaURL, fieldWxmpURL, fieldSchemeURL, fieldShortURL:
		link.URL = urlForms[f.number-fieldWxaURL].prefix + f.text
	case fieldGeneratedAt:
		link.GeneratedAt = f.moment()
	case fieldExpiresAt:
		link.ExpiresAt = f.moment()
	case fieldUsedAt:
		link.UsedAt = f.moment()
	case fieldUses:
		link.Uses = f.value
	case fieldPinned:
		link.Pinned = protowire.DecodeBool(f.value)
	case fieldAnswerExtra:
		link.Extra = f.json()
	case fieldRecent:
		link.Recent = broker.DailyUses(f.text)
	case fieldRotations:
		link.Rotations = f.value
	case fieldAskedBy:
		link.AskedBy = f.text
	default:
		return setTarget(&link.Target, f)
	}
	return nil
}

func setTarget(t *broker.Target, f field) error {
	switch f.number {
	case fieldApp:
		t.App = f.app()
	case fieldPath:
		t.Path = f.text
	case fieldQuery:
		t.Query = f.text
	case fieldKind:
		t.Kind = broker.Kind(f.text)
	case fieldEnv:
		t.Env = broker.Env(f.text)
	case fieldExpiryDays:
		t.Expiry.Days = int(f.value) //nolint:gosec // was an int
	case fieldExpiryAt:
		t.Expiry.At = time.Unix(int64(f.value), 0).UTC() //nolint:gosec // was an int64
	case fieldScope:
		t.Scope = f.text
	case fieldCloudBase:
		t.CloudBase = &broker.CloudBase{}
		return f.each(func(f field) error { return setCloudBase(t.CloudBase, f) })
	case fieldExtra:
		t.Extra = f.json()
	case fieldPageTitle:
		t.Title = f.text
	case fieldExpiryNever:
		t.Expiry.Never = protowire.DecodeBool(f.value)
	}
	return nil
}

func setCloudBase(c *broker.CloudBase, f field) error {
	switch f.number {
	case fieldCloudEnv:
		c.Env = f.text
	case fieldCloudDomain:
		c.Domain = f.text
	case fieldCloudPath:
		c.Path = f.text
	case fieldCloudQuery:
		c.Query = f.text
	case fieldCloudResource:
		c.ResourceAppID = f.text
	case fieldCloudExtra:
		c.Extra = f.json()
	}
	return nil
}
