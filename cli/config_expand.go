package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// reference is ${NAME}, or $${ where a text shall contain ${.
var reference = regexp.MustCompile(`\$?\$\{[^}]*\}?`)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand puts the values of environment variables in the place of each ${NAME}.
func expand(text string, lookup func(string) (string, error)) (string, error) {
	var errs []error
	expanded := reference.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		name, closed := strings.CutSuffix(found[2:], "}")
		if !closed || !variableName.MatchString(name) {
			// Not repeated: what follows could be a secret that happens to contain ${.
			errs = append(errs, errors.New("has a ${ that is no ${NAME}: write $${ for the characters themselves"))
			return ""
		}
		value, err := lookup(name)
		errs = append(errs, err)
		return value
	})
	return expanded, errors.Join(errs...)
}

// environment is what the process was given.
type environment map[string]string

func newEnvironment(environ []string) environment {
	env := make(environment, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	return env
}

// lookup gives the value of a variable: its own, or the contents of the file that NAME_FILE names, which is how
// systemd's credentials and the secrets of containers arrive.
func (e environment) lookup(name string) (string, error) {
	value, set := e[name]
	file, inFile := e[name+"_FILE"]
	switch {
	case set && inFile:
		return "", fmt.Errorf("both %s and %s_FILE are set: unset one", name, name)
	case set:
		return value, nil
	case inFile:
		return readTrimmed(name+"_FILE", file)
	default:
		return "", fmt.Errorf("the environment variable %s is not set: set it, or %s_FILE to a file that holds its value", name, name)
	}
}

// maxSecretFile bounds what is read for one value: a mistaken /dev/zero would never end.
const maxSecretFile = 64 << 10

// readTrimmed reads a small file without the line end that editors leave behind.
func readTrimmed(variable, name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", variable, err)
	}
	defer file.Close()
	contents, err := io.ReadAll(io.LimitReader(file, maxSecretFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", variable, err)
	case len(contents) > maxSecretFile:
		return "", fmt.Errorf("%s names a file of more than %d bytes: it should hold one value", variable, maxSecretFile)
	}
	return strings.TrimSpace(string(contents)), nil
}
