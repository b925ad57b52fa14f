package cli

import (
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

// Sources is where settings come from: the flags beat the environment, which beats the file, which beats the
// defaults.
type Sources struct {
	FileName string // for messages
	File     []byte // YAML; empty = none
	FileMode fs.FileMode
	Environ  []string // as os.Environ gives it
	Flags    *pflag.FlagSet
	Now      time.Time // a client whose key has expired is no enabled one
}

// Settings is a configuration and where each of its values was set.
type Settings struct {
	Config

	Warnings []string          // what is odd and yet no reason to refuse
	Literals []string          // secrets that stand in the file itself
	origins  map[string]string // by path: config.yaml:12, the name of a variable, a flag
}

// Origin says where the setting of a path was set.
func (s *Settings) Origin(path string) string {
	if rule := ruleInPath.FindString(path); rule != "" && s.origins[rule+".path"] == "" {
		path = rule // of which the file says all in one text
	}
	if origin := s.origins[path]; origin != "" {
		return origin
	}
	return "default"
}

var ruleInPath = regexp.MustCompile(`^clients\[\d+\]\.paths\[\d+\]`)

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
	l.warnOfMode(src, settings)
	settings.Warnings = l.warnings
	if len(l.problems) > 0 {
		return settings, l.problems
	}
	return settings, nil
}

// warnOfMode tells of a file with secrets in it that others on the machine can read. A publishable key is none.
func (l *loader) warnOfMode(src Sources, settings *Settings) {
	for _, path := range l.literals {
		var i int
		if n, _ := fmt.Sscanf(path, "clients[%d].key", &i); n == 1 && i < len(settings.Clients) && settings.Clients[i].Publishable {
			continue
		}
		settings.Literals = append(settings.Literals, path)
	}
	if len(settings.Literals) > 0 && src.FileMode&0o044 != 0 {
		l.warnings = append(l.warnings, fmt.Sprintf("%s can be read by others (mode %04o) and holds %s: chmod 600, or write ${NAME} and give the value by NAME_FILE",
			src.FileName, src.FileMode.Perm(), strings.Join(settings.Literals, ", ")))
	}
}

// loader gathers what the layers say, and all that is wrong with it.
type loader struct {
	environment

	file     string
	origins  map[string]string
	bad      map[string]bool // paths with a problem: one each is enough
	problems Problems
	warnings []string
	literals []string // paths of secrets that stand in the file itself
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

var indexInPath = regexp.MustCompile(`\.(\d+)`)

// display writes a path as people do: apps[0].secret.
func display(path string) string { return indexInPath.ReplaceAllString(path, "[$1]") }
