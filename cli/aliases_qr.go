package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func newAliasesCode() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "qr SLUG -o FILE",
		Short: "Draw the QR code of an alias, to be printed: it goes on working for as long as the alias stands",
		Example: `  linkbroker aliases qr spring -o spring.svg
  linkbroker aliases qr spring -o spring.png --size=1024 --level=Q
  linkbroker aliases qr poster -o poster-7.svg --cq='shop=7'     the alias's page reads shop=7`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := aliasPath(args[0])
			if err != nil {
				return err
			}
			kind := strings.ToLower(filepath.Ext(file))
			if kind != ".svg" && kind != ".png" {
				return errors.New("name a file with -o whose name ends in .svg or .png")
			}
			query := make(url.Values)
			for _, name := range []string{"size", "margin", "level", "cq"} {
				if cmd.Flags().Changed(name) {
					query.Set(name, cmd.Flag(name).Value.String())
				}
			}
			a, err := newAdmin(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), patience)
			defer cancel()
			address := path + "/qr" + kind + "?" + strings.ReplaceAll(query.Encode(), "+", "%20") // in cq a + is a +
			_, picture, err := a.askWhole(ctx, call{method: http.MethodGet, path: address})
			if err != nil {
				return err
			}
			if err := os.WriteFile(file, picture, 0o644); err != nil { //nolint:gosec // a picture to be printed is for everybody
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), file)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "output", "o", "", "`file` to write, .svg or .png")
	flags.Int("size", 512, "pixels a side, 64 to 2048")
	flags.Int("margin", 4, "modules of white around it, 0 to 16; readers want 4")
	flags.String("level", "M", "error correction: L, M, Q or H")
	flags.String("cq", "", "a `query` for the page of this one code")
	return cmd
}
