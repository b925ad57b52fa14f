package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newKeys() *cobra.Command {
	group := newGroup("keys", "Make and change clients of a running linkbroker, and their API keys",
		newKeysCreate(), newKeysList(), newKeysShow(), newKeysUpdate(), newKeysRotate(), newKeysExpire(),
		newKeysSwitch("disable", "Have a client's keys and tokens work no longer"),
		newKeysSwitch("enable", "Have a disabled client's keys work again"),
		newKeysDelete())
	group.Long = `Makes and changes the clients that live in the store. Those of the configuration are listed with
them, and changed there. A key is shown once, when it is made; only its SHA-256 is kept.`
	group.Example = `  export LINKBROKER_KEY=…                          a key of role admin
  linkbroker keys create shop --generations-per-day=20000
  linkbroker keys create shop-page --publishable --origin=https://shop.example.com \
      --path='pages/item?id=[0-9]+' --generations-per-day=5000
  linkbroker keys rotate shop --overlap=72h        a new key; the old one works for three days more
  linkbroker keys disable shop`
	addAdminFlags(group)
	return group
}

const clientsPath = "/api/v1/clients"

func newKeysCreate() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a client, and show its key this once",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := grantFields(cmd)
			if err != nil {
				return err
			}
			fields["name"], fields["role"] = args[0], cmd.Flag("role").Value.String()
			if cmd.Flag("publishable").Changed {
				fields["publishable"] = true
			}
			return callClient(cmd, format, http.MethodPost, clientsPath, fields)
		},
	}
	addGrantFlags(cmd)
	cmd.Flags().Bool("publishable", false, "the key stands in web pages: needs --origin, --path and --generations-per-day")
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysUpdate() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "update NAME",
		Short: "Change what a client may do: what a flag names takes the place of what was there",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := grantFields(cmd)
			if err != nil {
				return err
			}
			if len(fields) == 0 {
				return errors.New("nothing is to be changed: name a flag")
			}
			return changeClient(cmd, format, http.MethodPatch, args[0], "", fields)
		},
	}
	addGrantFlags(cmd)
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysList() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List clients, those of the configuration and those of the store",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showAll(cmd, format, clientsPath, clientTable)
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysShow() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what a client may do",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeClient(cmd, format, http.MethodGet, args[0], "", nil)
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysRotate() *cobra.Command {
	var format, overlap string
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Give a client a new key, beside which the old one works for a while",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := parseDuration(overlap)
			if err != nil {
				return errors.New("--overlap must be a time such as 24h or 7d")
			}
			return changeClient(cmd, format, http.MethodPost, args[0], ":rotate", map[string]any{"overlap": d.String()})
		},
	}
	cmd.Flags().StringVar(&overlap, "overlap", "24h", "how long the old key still works; 0s = no longer")
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysExpire() *cobra.Command {
	var format, at string
	cmd := &cobra.Command{
		Use:   "expire NAME",
		Short: "Set when a client's keys stop working: now, if nothing else is said",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			end, err := moment(at, time.Now())
			if err != nil {
				return fmt.Errorf("--at %w", err)
			}
			return changeClient(cmd, format, http.MethodPatch, args[0], "", map[string]any{"expires_at": end})
		},
	}
	cmd.Flags().StringVar(&at, "at", "0s", "a `moment` such as 2030-01-31T08:00:00+08:00, a time from now such as 30d, or never")
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysSwitch(verb, short string) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeClient(cmd, format, http.MethodPost, args[0], ":"+verb, nil)
		},
	}
	addOutputFlag(cmd, &format)
	return cmd
}

func newKeysDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Forget a client: its keys and tokens work no longer",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := clientPath(args[0])
			if err != nil {
				return err
			}
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			if _, err := a.ask(ctx, http.MethodDelete, path, nil); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), args[0], "deleted")
			return nil
		},
	}
}

// pathName is a name that stands in an address as it is.
var pathName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func clientPath(name string) (string, error) {
	if !pathName.MatchString(name) || strings.Trim(name, ".") == "" {
		return "", fmt.Errorf("%.70q is not the name of a client, which has 1 to 64 characters out of a-z A-Z 0-9 . _ -", name)
	}
	return clientsPath + "/" + name, nil
}

// changeClient makes a call about one client.
func changeClient(cmd *cobra.Command, format, method, name, verb string, body any) error {
	path, err := clientPath(name)
	if err != nil {
		return err
	}
	return callClient(cmd, format, method, path+verb, body)
}

// callClient makes a call whose answer is a client, and shows it.
func callClient(cmd *cobra.Command, format, method, path string, body any) error {
	a, err := newAdmin(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	raw, err := a.ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	var c client
	if err := json.Unmarshal(raw, &c); err != nil {
		return a.nonsense()
	}
	if err := (output{cmd.OutOrStdout(), format}).show(raw, func() table { return clientRows(c, time.Now()) }); err != nil {
		return err
	}
	if c.Key != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "The key is shown this once and kept nowhere: store it now.")
	}
	return nil
}
