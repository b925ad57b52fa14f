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
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linkbroker/broker"
	"linkbroker/handlers"
	"linkbroker/wechat"
)

// listenerKind is one of the two listeners of a running linkbroker that commands ask.
type listenerKind struct {
	name    string
	address string      // where it answers by default
	role    broker.Role // of the key that it needs
}

func adminListener() listenerKind {
	return listenerKind{"admin listener", DefaultConfig().Admin.Listen, broker.RoleAdmin}
}

func publicListener() listenerKind {
	return listenerKind{"public listener", DefaultConfig().Listen, broker.RoleGenerate}
}

// remote asks a listener of a running linkbroker.
type remote struct {
	listenerKind

	base string
	key  wechat.Secret
	http *http.Client
}

func addAdminFlags(cmd *cobra.Command) { addRemoteFlags(cmd, adminListener()) }

// addRemoteFlags gives a command what it needs to reach a running linkbroker. There is no flag for the key itself:
// what stands on a command line can be read by everybody on the machine, and stays in the shell's history.
func addRemoteFlags(cmd *cobra.Command, kind listenerKind) {
	flags := cmd.PersistentFlags()
	flags.String("url", "", "`address` of the "+kind.name+" (default $LINKBROKER_URL, else http://"+kind.address+")")
	flags.String("key-file", "", "`file` with a key of role "+string(kind.role)+" (default $LINKBROKER_KEY, else the file $LINKBROKER_KEY_FILE)")
}

func newAdmin(cmd *cobra.Command) (*remote, error) { return newRemote(cmd, adminListener()) }

func newRemote(cmd *cobra.Command, kind listenerKind) (*remote, error) {
	base := cmp.Or(cmd.Flag("url").Value.String(), os.Getenv(variablePrefix+"URL"), "http://"+kind.address)
	u, err := url.Parse(base)
	if err != nil || !isPlain(u) || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address of the %s must look like http://%s", kind.name, kind.address)
	}
	key, err := remoteKey(cmd.Flag("key-file").Value.String(), kind.role)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		// Whoever is redirected to shall not get the key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &remote{listenerKind: kind, base: strings.TrimRight(base, "/"), key: key, http: client}, nil
}

func remoteKey(file string, role broker.Role) (wechat.Secret, error) {
	read := func() (string, error) { return newEnvironment(os.Environ()).lookup(variablePrefix + "KEY") }
	if file != "" {
		read = func() (string, error) { return readTrimmed("--key-file", file) }
	}
	key, err := read()
	if err != nil {
		return "", fmt.Errorf("an API key of role %s is needed: %w", role, err)
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
func (a *remote) ask(ctx context.Context, method, path string, send any) (json.RawMessage, error) {
	call := call{method: method, path: path}
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return nil, err
		}
		call.contentType, call.body = "application/json", bytes.NewReader(text)
	}
	_, body, err := a.askWhole(ctx, call)
	return body, err
}

// call is a request to a running linkbroker.
type call struct {
	method, path string
	header       http.Header // further fields; may be nil
	contentType  string      // of the body
	body         io.Reader   // nil = none
}

// askWhole makes a call and reads the whole answer.
func (a *remote) askWhole(ctx context.Context, call call) (http.Header, []byte, error) {
	resp, err := a.open(ctx, call)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, nil, a.brokeOff(err)
	}
	return resp.Header, body, nil
}

// open makes a call whose answer its caller reads and closes.
func (a *remote) open(ctx context.Context, call call) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, call.method, a.base+call.path, cmp.Or[io.Reader](call.body, http.NoBody))
	if err != nil {
		return nil, err
	}
	if call.header != nil {
		req.Header = call.header
	}
	if call.body != nil {
		req.Header.Set("Content-Type", call.contentType)
	}
	req.Header.Set("Authorization", "Bearer "+string(a.key))
	resp, err := a.http.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address, which we name ourselves
		}
		return nil, fmt.Errorf("no answer from %s: is linkbroker running there? (%w)", a.base, err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // what is cut off is no problem of RFC 9457
		return nil, a.refusal(resp, body)
	}
	return resp, nil
}

func (a *remote) brokeOff(err error) error {
	return fmt.Errorf("the answer from %s broke off: %w", a.base, err)
}

// refused is an error of linkbroker's, as RFC 9457 has it.
type refused struct {
	Code   broker.Code `json:"code"`
	Title  string      `json:"title"`
	Detail string      `json:"detail"`
	Hint   string      `json:"hint"`

	ErrCode    int    `json:"errcode"` // WeChat's
	RID        string `json:"rid"`
	RetryAfter int64  `json:"retry_after"` // seconds; 0 if nothing is known

	status int
}

// Error says what linkbroker said.
func (p *refused) Error() string {
	text := strings.TrimSuffix(cmp.Or(p.Detail, p.Title), ".")
	if p.Hint != "" && p.Hint != "See the detail." {
		text += ". " + p.Hint
	}
	return text
}

// brief says in one cell of a table what was wrong.
func (p *refused) brief() string {
	return handlers.SheetError(cmp.Or(p.Detail, p.Title), p.ErrCode, p.RID)
}

// refusal reads the answer to a call that was refused.
func (a *remote) refusal(resp *http.Response, body []byte) error {
	p := &refused{status: resp.StatusCode}
	if json.Unmarshal(body, p) != nil || p.Title == "" {
		p.Title = fmt.Sprintf("%s answers with status %d: is it the %s of linkbroker?", a.base, resp.StatusCode, a.name)
	}
	if resp.StatusCode == http.StatusMethodNotAllowed || p.Code == "no_route" {
		p.Hint = fmt.Sprintf("This command asks the %s of linkbroker, and %s is another: see --url", a.name, a.base)
	}
	if seconds, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32); err == nil {
		p.RetryAfter = seconds
	}
	return p
}

// get asks for what is decoded into v, and gives the JSON as it came.
func (a *remote) get(ctx context.Context, path string, v any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return a.fetch(ctx, http.MethodGet, path, v)
}

func (a *remote) fetch(ctx context.Context, method, path string, v any) (json.RawMessage, error) {
	body, err := a.ask(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return nil, a.nonsense()
	}
	return body, nil
}

func (a *remote) nonsense() error {
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
