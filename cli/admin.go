package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/broker"
	"linkbroker/wechat"
)

// admin asks the admin listener of a running linkbroker.
type admin struct {
	base string
	key  wechat.Secret
	http *http.Client
}

// addAdminFlags gives a command what it needs to reach a running linkbroker. There is no flag for the key itself:
// what stands on a command line can be read by everybody on the machine, and stays in the shell's history.
func addAdminFlags(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.String("url", "", "`address` of the admin listener (default $LINKBROKER_URL, else http://"+DefaultConfig().Admin.Listen+")")
	flags.String("key-file", "", "`file` with a key of role admin (default $LINKBROKER_KEY, else the file $LINKBROKER_KEY_FILE)")
}

func newAdmin(cmd *cobra.Command) (*admin, error) {
	base := cmp.Or(cmd.Flag("url").Value.String(), os.Getenv(variablePrefix+"URL"), "http://"+DefaultConfig().Admin.Listen)
	u, err := url.Parse(base)
	if err != nil || !isPlain(u) || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the address of the admin listener must look like http://127.0.0.1:8081")
	}
	key, err := adminKey(cmd.Flag("key-file").Value.String())
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		// Whoever is redirected to shall not get the key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &admin{base: strings.TrimRight(base, "/"), key: key, http: client}, nil
}

func adminKey(file string) (wechat.Secret, error) {
	read := func() (string, error) { return newEnvironment(os.Environ()).lookup(variablePrefix + "KEY") }
	if file != "" {
		read = func() (string, error) { return readTrimmed("--key-file", file) }
	}
	key, err := read()
	if err != nil {
		return "", fmt.Errorf("an API key of role admin is needed: %w", err)
	}
	if broker.CheckAPIKey(key) != nil {
		return "", errors.New("the key given cannot be one: an API key has 16 to 128 characters out of A-Z a-z 0-9 _ -")
	}
	return wechat.Secret(key), nil
}

// patience is how long a call may take that does not say otherwise.
const patience = 30 * time.Second

// maxReply bounds what is read of an answer.
const maxReply = 64 << 20

// ask makes a call, with what is to be sent as JSON unless it is nil, and gives the body of the answer. Its error says
// what linkbroker said.
func (a *admin) ask(ctx context.Context, method, path string, send any) (json.RawMessage, error) {
	var content io.Reader = http.NoBody
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, content)
	if err != nil {
		return nil, err
	}
	if send != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", "Bearer "+string(a.key))
	resp, err := a.http.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address, which we name ourselves
		}
		return nil, fmt.Errorf("no answer from %s: is linkbroker running there? (%w)", a.base, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, fmt.Errorf("the answer from %s broke off: %w", a.base, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, a.refusal(resp.StatusCode, body)
	}
	return body, nil
}

// refusal words a problem of RFC 9457.
func (a *admin) refusal(status int, body []byte) error {
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Hint   string `json:"hint"`
	}
	if json.Unmarshal(body, &problem) != nil || problem.Title == "" {
		return fmt.Errorf("%s answers with status %d: is it the admin listener of linkbroker?", a.base, status)
	}
	return fmt.Errorf("%s. %s", strings.TrimSuffix(cmp.Or(problem.Detail, problem.Title), "."), problem.Hint)
}

// get asks for what is decoded into v, and gives the JSON as it came.
func (a *admin) get(ctx context.Context, path string, v any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return a.fetch(ctx, http.MethodGet, path, v)
}

func (a *admin) fetch(ctx context.Context, method, path string, v any) (json.RawMessage, error) {
	body, err := a.ask(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, a.nonsense()
	}
	return body, nil
}

func (a *admin) nonsense() error {
	return fmt.Errorf("the answer from %s makes no sense: is it another version of linkbroker?", a.base)
}

// showAll shows a list that the admin API gives as a whole.
func showAll[T any](cmd *cobra.Command, format, path string, asTable func([]T, time.Time) table) error {
	a, err := newAdmin(cmd)
	if err != nil {
		return err
	}
	var list struct {
		Items []T `json:"items"`
	}
	raw, err := a.get(cmd.Context(), path, &list)
	if err != nil {
		return err
	}
	return output{cmd.OutOrStdout(), format}.show(raw, func() table { return asTable(list.Items, time.Now()) })
}
