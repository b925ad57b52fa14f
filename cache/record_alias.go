package cache

import (
	"errors"
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"

	"linkbroker/broker"
)

// The fields of an alias' body. What is said of a link's holds for them too.
const (
	fieldSlug        protowire.Number = 1
	fieldTarget      protowire.Number = 2 // fields of a link's body
	fieldSplice      protowire.Number = 3
	fieldTitle       protowire.Number = 4
	fieldTags        protowire.Number = 5 // each a fieldTag; absent = nil
	fieldStartsAt    protowire.Number = 6
	fieldEndsAt      protowire.Number = 7
	fieldFallbackURL protowire.Number = 8
	fieldVisitLimit  protowire.Number = 9
	fieldDisabled    protowire.Number = 10
	fieldCreatedAt   protowire.Number = 11
	fieldChangedAt   protowire.Number = 12
)

const fieldTag protowire.Number = 1

// encodeAlias makes the record of an alias. It refuses what would come back as another one, for that had another ETag
// and whoever wrote it could never change it again.
func encodeAlias(alias broker.Alias) ([]byte, error) {
	if alias.Slug == "" {
		return nil, errors.New("the alias has no slug")
	}
	alias.StartsAt, alias.EndsAt = alias.StartsAt.UTC(), alias.EndsAt.UTC()
	alias.CreatedAt, alias.ChangedAt = alias.CreatedAt.UTC(), alias.ChangedAt.UTC()
	record := seal([]byte(alias.Slug), appendAlias(make([]byte, headerSize, 256), alias))
	if again, err := decodeAlias([]byte(alias.Slug), record); err != nil || !reflect.DeepEqual(again, alias) {
		return nil, errors.New("the alias cannot be stored as it is")
	}
	return record, nil
}

func appendAlias(b []byte, a broker.Alias) []byte {
	b = appendText(b, fieldSlug, a.Slug)
	b = appendNested(b, fieldTarget, appendTarget(nil, a.Target))
	b = appendNumber(b, fieldSplice, protowire.EncodeBool(a.Splice))
	b = appendText(b, fieldTitle, a.Title)
	if a.Tags != nil {
		var tags []byte
		for _, tag := range a.Tags {
			tags = appendNested(tags, fieldTag, []byte(tag))
		}
		b = appendNested(b, fieldTags, tags)
	}
	b = appendTimestamp(b, fieldStartsAt, a.StartsAt)
	b = appendTimestamp(b, fieldEndsAt, a.EndsAt)
	b = appendText(b, fieldFallbackURL, a.FallbackURL)
	b = appendNumber(b, fieldVisitLimit, a.VisitLimit)
	b = appendNumber(b, fieldDisabled, protowire.EncodeBool(a.Disabled))
	b = appendTimestamp(b, fieldCreatedAt, a.CreatedAt)
	return appendTimestamp(b, fieldChangedAt, a.ChangedAt)
}

// decodeAlias reads the record kept under a slug. Its error is a damage. The alias shares no memory with the record.
func decodeAlias(slug, record []byte) (broker.Alias, error) {
	body, err := unseal(slug, record)
	if err != nil {
		return broker.Alias{}, err
	}
	var alias broker.Alias
	alias.Target.Kind, alias.Target.Env = broker.URLLink, broker.Release
	if err := eachField(body, string(body), func(f field) error { return setAlias(&alias, f) }); err != nil {
		return broker.Alias{}, err
	}
	if alias.Slug == "" || alias.Slug != string(slug) {
		return broker.Alias{}, damagedForm
	}
	return alias, nil
}

func setAlias(a *broker.Alias, f field) (err error) {
	switch f.number {
	case fieldSlug:
		a.Slug = f.text
	case fieldTarget:
		return f.each(func(f field) error { return setTarget(&a.Target, f) })
	case fieldSplice:
		a.Splice = protowire.DecodeBool(f.value)
	case fieldTitle:
		a.Title = f.text
	case fieldTags:
		a.Tags = []string{}
		return f.each(func(f field) error {
			if f.number == fieldTag {
				a.Tags = append(a.Tags, f.text)
			}
			return nil
		})
	case fieldStartsAt:
		a.StartsAt, err = f.timestamp()
	case fieldEndsAt:
		a.EndsAt, err = f.timestamp()
	case fieldFallbackURL:
		a.FallbackURL = f.text
	case fieldVisitLimit:
		a.VisitLimit = f.value
	case fieldDisabled:
		a.Disabled = protowire.DecodeBool(f.value)
	case fieldCreatedAt:
		a.CreatedAt, err = f.timestamp()
	case fieldChangedAt:
		a.ChangedAt, err = f.timestamp()
	}
	return err
}

// etagIn gives the ETag of the alias in a record, empty if there is none that can be read.
func etagIn(slug, record []byte) string {
	alias, err := decodeAlias(slug, record)
	if err != nil {
		return ""
	}
	return alias.ETag()
}
