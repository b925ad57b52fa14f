package wechat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"linkbroker/broker"
)

const (
	// lookAgain is how often a token's file is looked at while calls are made, or a token server asked that does not
	// say how long its token lives. The present token is used meanwhile.
	lookFile   = time.Second
	lookServer = time.Minute

	// A token whose life is not told is used until WeChat refuses it or there is another.
	untold = 24 * time.Hour

	// maxToken is the longest token, in bytes. WeChat's have up to 512.
	maxToken = 2048
)

// fileToken reads tokens from a file that something else keeps up to date.
type fileToken struct {
	app     string
	path    string
	clock   broker.Clock
	observe func(TokenFetch)
}

func (*fileToken) rules() sourceRules {
	return sourceRules{refused: refusal{
		broker.TokenRefused, "WeChat refuses the access token in the token's file: whatever keeps the file up to date has to put " +
			"a living one there", leastPause,
	}}
}

// fetch reads the file. A look at its date alone would miss a second change within the clock's grain.
func (f *fileToken) fetch(context.Context, bool) (token, error) {
	now := f.clock()
	value, err := f.read()
	if err != nil {
		err = refusal{broker.TokenRefused, "the file with the access token " + err.Error(), lookFile}.err(answer{})
		f.observe(TokenFetch{App: f.app, Took: f.clock().Sub(now), Err: err})
		return token{}, err
	}
	return token{value: value, fetchedAt: now, renewAt: now.Add(lookFile), expiresAt: now.Add(untold)}, nil
}

// read gives the file's token. Its error does not name the path, which would be told to callers.
func (f *fileToken) read() (Secret, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return "", why(err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxToken+1))
	if err != nil {
		return "", why(err)
	}
	value := strings.TrimSpace(string(raw))
	switch {
	case value == "":
		return "", errors.New("is empty")
	case !isToken(value):
		return "", fmt.Errorf("holds more than a token, which has up to %d characters and no space", maxToken)
	}
	return Secret(value), nil
}

func why(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("is not there")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("cannot be read by this user")
	default:
		return errors.New("cannot be read")
	}
}

// isToken reports whether a text can be a token.
func isToken(value string) bool {
	return value != "" && len(value) <= maxToken && !strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })
}
