package cli

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/v2"
)

// decode makes a Config of the merged layers, over the defaults.
func (l *loader) decode(k *koanf.Koanf) Config {
	cfg := DefaultConfig()
	apps, _ := k.Get("apps").([]any)
	for range apps {
		cfg.Apps = append(cfg.Apps, DefaultApp())
	}
	err := k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{
		DecoderConfig: &mapstructure.DecoderConfig{DecodeHook: decodeText},
	})
	l.reportDecoding(err)
	return cfg
}

// reportDecoding reports each value that is not of its setting's type.
func (l *loader) reportDecoding(err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			l.reportDecoding(err)
		}
		return
	}
	if failed, ok := err.(*mapstructure.DecodeError); ok { //nolint:errorlint // the node itself, not what is below it
		l.report(l.origins[failed.Name()], failed.Name(), "%s", failed.Unwrap())
		return
	}
	if below := errors.Unwrap(err); below != nil {
		l.reportDecoding(below)
	}
}

// decodeText reads the types that a text can stand for. Its errors do not repeat the text: it could be a secret in
// the wrong place.
func decodeText(from, to reflect.Value) (any, error) {
	text, ok := from.Interface().(string)
	if !ok {
		return from.Interface(), nil
	}
	switch to.Interface().(type) {
	case time.Duration:
		value, err := parseDuration(text)
		return value, orError(err, "must be a duration such as 4s, 90m, 1h30m or 400d")
	case time.Time:
		value, err := time.Parse(time.RFC3339, text)
		return value, orError(err, "must be a moment such as 2030-01-31T08:00:00+08:00")
	case int, int64:
		value, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		return value, orError(err, "must be a whole number")
	case float64:
		value, err := strconv.ParseFloat(text, 64)
		return value, orError(err, "must be a number")
	case bool:
		return text == "true", orError(notBool(text), "must be true or false")
	case PathConfig:
		var rule PathConfig
		err := rule.UnmarshalText([]byte(text))
		return rule, err
	case []string:
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), nil
	default:
		return text, nil
	}
}

// parseDuration knows days beside Go's units.
func parseDuration(text string) (time.Duration, error) {
	if days, inDays := strings.CutSuffix(text, "d"); inDays {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(text)
}

func notBool(text string) error {
	if text == "true" || text == "false" {
		return nil
	}
	return strconv.ErrSyntax
}

func orError(err error, text string) error {
	if err == nil {
		return nil
	}
	return errors.New(text)
}
