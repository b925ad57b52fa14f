package cli

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Sources is where settings come from: the flags beat the environment, which beats the file, which beats the
// defaults.
type Sources struct {
	FileName string   // for messages
	File     []byte   // YAML; empty = none
	Environ  []string // as os.Environ gives it
	Flags    *pflag.FlagSet
	Now      time.Time // a client whose key has expired is no enabled one
}

// Settings is a configuration and where each of its values was set.
type Settings struct {
	Config

	Warnings []string          // what is odd and yet no reason to refuse
	origins  map[string]string // by path: config.yaml:12, the name of a variable, a flag
}

// Origin says where the setting of a path was set.
func (s *Settings) Origin(path string) string {
	if origin := s.origins[path]; origin != "" {
		return origin
	}
	return "default"
}

// LoadConfig reads, merges and checks. Its error is Problems: all there are. What could be read is given back beside
// it, for commands that need only a part.
func LoadConfig(src Sources) (*Settings, error) {
	l := &loader{environment: newEnvironment(src.Environ), origins: make(map[string]string), bad: make(map[string]bool)}
	layers := []koanf.Provider{confmap.Provider(l.readFile(src.FileName, src.File), "")}
	layers = append(layers, l.variables(src.Environ))
	if src.Flags != nil {
		layers = append(layers, l.flags(src.Flags))
	}
	k := koanf.New(".")
	for _, layer := range layers {
		if err := k.Load(layer, nil, koanf.WithMergeFunc(merge)); err != nil {
			l.report("", "", "%s", err)
		}
	}
	settings := &Settings{Config: l.decode(k), origins: l.origins}
	l.check(settings.Config, src.Now)
	settings.Warnings = l.warnings
	if len(l.problems) > 0 {
		return settings, l.problems
	}
	return settings, nil
}

// loader gathers what the layers say, and all that is wrong with it.
type loader struct {
	environment

	file     string
	origins  map[string]string
	bad      map[string]bool // paths with a problem: one each is enough
	problems Problems
	warnings []string
}

func (l *loader) report(origin, path, format string, args ...any) {
	path = display(path)
	if path != "" && l.bad[path] {
		return
	}
	l.bad[path] = true
	l.problems = append(l.problems, Problem{Origin: origin, Path: path, Text: fmt.Sprintf(format, args...)})
}

// variablePrefix begins the names of our environment variables.
const variablePrefix = "LINKBROKER_"

// notSettings are variables of other commands.
var notSettings = map[string]bool{"CONFIG": true, "URL": true, "KEY": true}

// variables is the layer of LINKBROKER_… and LINKBROKER_…_FILE. A variable that means nothing is only warned of:
// whoever runs us as a service of that name in Kubernetes is given several.
func (l *loader) variables(environ []string) koanf.Provider {
	read := func(variable, _ string) (string, any) {
		name := strings.TrimPrefix(variable, variablePrefix)
		path, found := settingNamed(name, reflect.TypeFor[Config]())
		if setting, inFile := strings.CutSuffix(name, "_FILE"); inFile && !found {
			name = setting
			path, found = settingNamed(name, reflect.TypeFor[Config]())
		}
		switch {
		case notSettings[name]:
			return "", nil
		case !found:
			l.warnings = append(l.warnings, variable+" is no setting and does nothing")
			return "", nil
		}
		value, err := l.lookup(variablePrefix + name)
		if err != nil {
			l.report(variable, path, "%s", err)
			return "", nil
		}
		l.origins[display(path)] = variable
		return path, value
	}
	return env.Provider(".", env.Opt{
		Prefix: variablePrefix, TransformFunc: read, EnvironFunc: func() []string { return environ },
	})
}

// flags is the layer of the flags that were given and are settings.
func (l *loader) flags(flags *pflag.FlagSet) koanf.Provider {
	return posflag.ProviderWithFlag(flags, ".", nil, func(f *pflag.Flag) (string, any) {
		path, isSetting := settingNamed(strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")), reflect.TypeFor[Config]())
		if !isSetting || !f.Changed {
			return "", nil
		}
		l.origins[path] = "--" + f.Name
		return path, f.Value.String()
	})
}

// merge lays one layer over another. Lists are replaced as a whole by the file, and reached into by variables:
// apps.0.secret.
func merge(above, below map[string]any) error {
	for key, value := range above {
		merged, err := overlay(key, below[key], value)
		if err != nil {
			return err
		}
		below[key] = merged
	}
	return nil
}

func overlay(path string, below, above any) (any, error) {
	section, ok := above.(map[string]any)
	if !ok {
		return above, nil
	}
	if list, isList := below.([]any); isList || isIndexed(section) {
		return overlayList(path, list, section)
	}
	merged, ok := below.(map[string]any)
	if !ok {
		merged = make(map[string]any, len(section))
	}
	return merged, merge(section, merged)
}

func overlayList(path string, list []any, entries map[string]any) (any, error) {
	for i := 0; len(entries) > 0; i++ {
		entry, set := entries[strconv.Itoa(i)]
		switch {
		case !set && i >= len(list):
			return nil, fmt.Errorf("%s: variables set entries beyond %s[%d], which is not there: number them without a gap", path, path, i)
		case !set:
			continue
		case i >= len(list):
			list = append(list, nil)
		}
		merged, err := overlay(path, list[i], entry)
		if err != nil {
			return nil, err
		}
		list[i] = merged
		delete(entries, strconv.Itoa(i))
	}
	return list, nil
}

func isIndexed(section map[string]any) bool {
	for key := range section {
		return isIndex(key)
	}
	return false
}

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
		value, err := time.ParseDuration(text)
		return value, orError(err, "must be a duration such as 4s, 90m or 1h30m")
	case time.Time:
		value, err := time.Parse(time.RFC3339, text)
		return value, orError(err, "must be a moment such as 2030-01-31T08:00:00+08:00")
	case int, int64:
		value, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 64)
		return value, orError(err, "must be a whole number")
	case float64:
		value, err := strconv.ParseFloat(text, 64)
		return value, orError(err, "must be a number")
	case []string:
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), nil
	default:
		return text, nil
	}
}

func orError(err error, text string) error {
	if err == nil {
		return nil
	}
	return errors.New(text)
}

var indexInPath = regexp.MustCompile(`\.(\d+)`)

// display writes a path as people do: apps[0].secret.
func display(path string) string { return indexInPath.ReplaceAllString(path, "[$1]") }
